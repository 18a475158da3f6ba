//! Files of the repository that are made from the code.

use std::fs;
use std::path::Path;

/// Compares with what is kept in the file, or keeps it where the variable asks for that.
pub fn assert_kept(file: &Path, text: &str, variable: &str) {
    if std::env::var_os(variable).is_some_and(|value| value == "1") {
        fs::write(file, text).unwrap();
    }
    let kept =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(
        text,
        kept,
        "{} differs; {variable}=1 rewrites it",
        file.display()
    );
}

/// As [`assert_kept`] for the part of a page between two marks, with `UPDATE_DOCS`.
pub fn assert_part_kept(page: &str, [begin, end]: [&str; 2], part: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let text = format!("{before}{begin}{part}{end}{after}");
    assert_kept(&file, &text, "UPDATE_DOCS");
}
