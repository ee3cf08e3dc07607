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
    /// uPlot, which draws charts.
    pub(super) uplot: Asset,
    /// The styles of uPlot.
    pub(super) uplot_style: Asset,
    /// Our script that draws the charts.
    pub(super) charts: Asset,
    /// The icon.
    pub(super) icon: Asset,
}

/// The files.
pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: asset("page.css", STYLE, include_bytes!("../../assets/page.css")),
    htmx: asset("htmx.js", SCRIPT, include_bytes!("../../assets/htmx.min.js")),
    script: asset("page.js", SCRIPT, include_bytes!("../../assets/page.js")),
    tools: asset("tools.js", SCRIPT, include_bytes!("../../assets/tools.js")),
    uplot: asset("uplot.js", SCRIPT, include_bytes!("../../assets/uplot.min.js")),
    uplot_style: asset("uplot.css", STYLE, include_bytes!("../../assets/uplot.min.css")),
    charts: asset("charts.js", SCRIPT, include_bytes!("../../assets/charts.js")),
    icon: asset("icon.svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
});

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

fn asset(name: &str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
    let hash: String = Sha256::digest(bytes)[..8].iter().map(|b| format!("{b:02x}")).collect();
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    Asset { url: format!("/assets/{stem}-{hash}.{extension}"), media_type, bytes }
}

impl Assets {
    /// Returns the file with this path.
    pub(super) fn find(&self, path: &str) -> Option<&Asset> {
        let Assets { style, htmx, script, tools, uplot, uplot_style, charts, icon } = self;
        let all = [style, htmx, script, tools, uplot, uplot_style, charts, icon];
        all.into_iter().find(|asset| asset.url == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_other_projects_are_the_published_files() {
        // Of htmx.org 4.0.1 and uplot 1.6.32 from npm; `api/assets/update.sh` fetches them.
        let published = [
            (&ASSETS.htmx, "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"),
            (&ASSETS.uplot, "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
            (
                &ASSETS.uplot_style,
                "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
            ),
        ];
        for (asset, published) in published {
            let hash = Sha256::digest(asset.bytes);
            let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hash, published, "{}", asset.url);
        }
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
