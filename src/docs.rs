//! Compares the generated pages of `docs/` with the text that the code generates.

/// Asserts that `page`, a path in the repository, equals `rendered`; with `UPDATE_DOCS` set,
/// writes it first.
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
