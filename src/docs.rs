//! The pages of `docs/` that are made from the code: each is compared with what the code makes.

/// `page`, in the root of the repository, is `rendered`; `UPDATE_DOCS` writes it anew.
pub(crate) fn assert_kept(page: &str, rendered: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, rendered).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        written, rendered,
        "UPDATE_DOCS=1 cargo test --lib docs writes {page}"
    );
}
