//! The files that pages load: styles and scripts, embedded in the program. The name of a file in a
//! URL contains its hash, so browsers keep it until it changes.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A file of the page.
pub(super) struct Asset {
    /// Its path, with its hash.
    pub(super) url: String,
    /// Its media type.
    pub(super) media_type: &'static str,
    /// Its content.
    pub(super) bytes: &'static [u8],
}

/// Every file that pages load.
pub(super) struct Assets {
    /// The styles.
    pub(super) style: Asset,
    /// htmx, which replaces parts of a page by newer ones.
    pub(super) htmx: Asset,
    /// The script that keeps a page up to date.
    pub(super) script: Asset,
    /// The script of the keyboard, the finder, completion and copying.
    pub(super) tools: Asset,
    /// The icon.
    pub(super) icon: Asset,
}

/// The files.
pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: asset("page.css", "text/css; charset=utf-8", include_bytes!("../../assets/page.css")),
    htmx: asset("htmx.js", SCRIPT, include_bytes!("../../assets/htmx.min.js")),
    script: asset("page.js", SCRIPT, include_bytes!("../../assets/page.js")),
    tools: asset("tools.js", SCRIPT, include_bytes!("../../assets/tools.js")),
    icon: asset("icon.svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
});

const SCRIPT: &str = "text/javascript; charset=utf-8";

fn asset(name: &str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
    let hash: String = Sha256::digest(bytes)[..8].iter().map(|b| format!("{b:02x}")).collect();
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    Asset { url: format!("/assets/{stem}-{hash}.{extension}"), media_type, bytes }
}

impl Assets {
    /// Returns the file with this path.
    pub(super) fn find(&self, path: &str) -> Option<&Asset> {
        let Assets { style, htmx, script, tools, icon } = self;
        [style, htmx, script, tools, icon].into_iter().find(|asset| asset.url == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn htmx_is_the_published_file() {
        let hash: String =
            Sha256::digest(ASSETS.htmx.bytes).iter().map(|b| format!("{b:02x}")).collect();
        // dist/htmx.min.js of htmx.org 4.0.1 from npm.
        assert_eq!(hash, "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130");
    }

    #[test]
    fn no_template_needs_a_weaker_policy() {
        let banned = [
            " style=",
            "<style",
            "<script>",
            " onclick",
            " onload",
            " onchange",
            " onsubmit",
            "hx-on",
            "js:",
            "javascript:",
            "|safe",
            "| safe",
        ];
        for file in std::fs::read_dir("templates").unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            for word in banned {
                assert!(!text.contains(word), "{path:?} contains {word:?}");
            }
        }
    }
}
