//! The style, script and icon files of the page.

/// A file that a browser may store forever: its address changes with its content.
#[derive(Debug)]
pub struct Asset {
    /// The path; a telemetry path cannot be the same.
    pub path: &'static str,
    pub content_type: &'static str,
    pub content: &'static str,
    /// The hash of the content.
    pub version: u64,
}

pub static STYLE: Asset = Asset::new(
    "/-/status.css",
    "text/css; charset=utf-8",
    include_str!("assets/status.css"),
);
pub static SCRIPT: Asset = Asset::new(
    "/-/status.js",
    "text/javascript; charset=utf-8",
    include_str!("assets/status.js"),
);
pub static ICON: Asset = Asset::new(
    "/-/icon.svg",
    "image/svg+xml",
    include_str!("assets/icon.svg"),
);

impl Asset {
    const fn new(path: &'static str, content_type: &'static str, content: &'static str) -> Self {
        Self {
            path,
            content_type,
            content,
            version: fnv(content.as_bytes()),
        }
    }

    /// The file of ours at this path.
    pub fn at(path: &str) -> Option<&'static Self> {
        [&STYLE, &SCRIPT, &ICON]
            .into_iter()
            .find(|asset| asset.path == path)
    }

    /// Returns its address relative to the page.
    pub fn address(&self) -> String {
        format!(".{}?{}", self.path, self.query())
    }

    /// Returns the query of its address.
    pub fn query(&self) -> String {
        format!("v={:016x}", self.version)
    }
}

/// Returns the FNV-1a hash. It only needs to differ between versions of a file, so it need not be
/// cryptographic.
const fn fnv(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}
