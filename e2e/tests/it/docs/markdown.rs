//! What the tests need to know of a Markdown file: its fenced blocks, links, headings and code spans.

use std::path::{Path, PathBuf};

/// A Markdown file.
pub(super) struct Document {
    /// Where it is, relative to the top folder of the repository.
    pub(super) path: PathBuf,
    text: String,
}

/// A fenced block.
#[derive(Debug)]
pub(super) struct Block {
    /// What follows the opening fence: `sh no-run`.
    pub(super) info: String,
    /// The line of its opening fence, from 1.
    pub(super) line: usize,
    /// Its lines, each with its line break.
    pub(super) text: String,
}

/// The content of a code span.
pub(super) struct CodeSpan {
    pub(super) line: usize,
    pub(super) text: String,
}

/// A link.
pub(super) struct Link {
    pub(super) line: usize,
    pub(super) target: String,
}

impl Document {
    pub(super) fn new(path: impl AsRef<Path>, text: String) -> Document {
        Document { path: path.as_ref().to_owned(), text }
    }

    /// The fenced blocks, in order.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = false;
        for (index, line) in self.text.lines().enumerate() {
            match (line.strip_prefix("```"), open) {
                (Some(info), false) => {
                    let (info, line) = (info.trim().to_owned(), index + 1);
                    blocks.push(Block { info, line, text: String::new() });
                    open = true;
                }
                (Some(_), true) => open = false,
                (None, true) => {
                    if let Some(block) = blocks.last_mut() {
                        block.text.push_str(line);
                        block.text.push('\n');
                    }
                }
                (None, false) => {}
            }
        }
        assert!(!open, "{} has a block without an end", self.path.display());
        blocks
    }

    /// The links, in order.
    pub(super) fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for (line, text) in self.prose() {
            let mut rest = text;
            while let Some(start) = rest.find("](") {
                rest = &rest[start + 2..];
                let end = rest.find(')').unwrap_or(rest.len());
                links.push(Link { line, target: rest[..end].to_owned() });
            }
        }
        links
    }

    /// The code spans, in order.
    pub(super) fn code_spans(&self) -> Vec<CodeSpan> {
        let mut spans = Vec::new();
        for (line, text) in self.prose() {
            let parts = text.split('`').skip(1).step_by(2);
            spans.extend(parts.map(|text| CodeSpan { line, text: text.to_owned() }));
        }
        spans
    }

    /// The cells of the rows of all tables, headings included.
    pub(super) fn table_rows(&self) -> Vec<Vec<&str>> {
        let rows = self.prose().filter_map(|(_, line)| line.strip_prefix('|')?.strip_suffix('|'));
        rows.map(|row| row.split('|').map(str::trim).collect()).collect()
    }

    /// Whether a heading has this anchor, as GitHub makes them.
    pub(super) fn has_anchor(&self, anchor: &str) -> bool {
        let headings = self.prose().filter_map(|(_, line)| line.strip_prefix('#'));
        let mut anchors = headings.map(|heading| anchor_of(heading.trim_start_matches('#').trim()));
        anchors.any(|found| found == anchor)
    }

    /// The lines outside of fenced blocks, with their numbers.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut open = false;
        self.text.lines().enumerate().filter_map(move |(index, line)| {
            let fence = line.starts_with("```");
            open ^= fence;
            (!open && !fence).then_some((index + 1, line))
        })
    }
}

impl Block {
    /// The commands of a shell block: one per line, without comments and indentation.
    pub(super) fn commands(&self) -> Vec<String> {
        let commands = self.text.lines().map(|line| match line.find(" # ") {
            Some(comment) => line[..comment].trim(),
            None => line.trim(),
        });
        commands.filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

/// The paths that `a/{b,c}` stands for. Braces do not nest.
pub(super) fn expanded(path: &str) -> Vec<String> {
    let braces = path.split_once('{').and_then(|(before, rest)| {
        rest.split_once('}').map(|(names, after)| (before, names, after))
    });
    let Some((before, names, after)) = braces else { return vec![path.to_owned()] };
    names.split(',').map(|name| format!("{before}{name}{after}")).collect()
}

fn anchor_of(heading: &str) -> String {
    let letters = heading.to_lowercase();
    let letters = letters.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    letters.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn blocks_links_and_anchors_are_found() {
    let text = "# Why? A `b` c\n[x](y.md#z)\n```sh no-run\nls  # all\n\n[no](link)\n```\nend\n";
    let document = Document::new("docs/x.md", text.to_owned());
    let blocks = document.blocks();
    let found: Vec<_> = blocks.iter().map(|block| (block.info.as_str(), block.line)).collect();
    assert_eq!(found, [("sh no-run", 3)]);
    assert_eq!(blocks[0].commands(), ["ls", "[no](link)"]);
    let links: Vec<_> = document.links().into_iter().map(|link| (link.line, link.target)).collect();
    assert_eq!(links, [(2, "y.md#z".to_owned())]);
    assert!(document.has_anchor("why-a-b-c"));
    assert!(!document.has_anchor("why"));
    assert_eq!(expanded("a/{b,c}.rs"), ["a/b.rs", "a/c.rs"]);
    assert_eq!(expanded("a/b.rs"), ["a/b.rs"]);
}
