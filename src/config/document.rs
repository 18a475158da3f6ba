//! Reads one file of a configuration: bytes to text, and text to a tree.

use super::field::Field;
use super::node::Position;
use super::reading::{Place, Reading};
use super::tree::Tree;

/// Reads a file's bytes and passes its top to `read`. Notes why there are no bytes, where `bytes` is an
/// error.
pub(super) fn document<T>(
    reading: &Reading<'_>,
    name: String,
    bytes: Result<Vec<u8>, String>,
    read: impl FnOnce(&Field<'_>) -> Option<T>,
) -> Option<T> {
    let file = reading.add_file(name);
    let note = |at, message| reading.note(Place { file, at }, message, None);
    let text = match bytes.map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => {
            let right = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let at = Position::behind(&String::from_utf8_lossy(right));
            note(
                at,
                "this byte is not UTF-8; save the file as UTF-8".to_owned(),
            );
            return None;
        }
        Err(fault) => {
            note(Position::START, fault);
            return None;
        }
    };
    let Tree { root, fault } = Tree::read(&text);
    if let Some(fault) = fault {
        note(fault.at, fault.message);
    }
    read(&Field::top(&root?, file, reading))
}
