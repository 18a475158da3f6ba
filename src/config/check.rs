//! `check-config`: prints the problems of each file.

use std::io::{self, Write};
use std::path::Path;

use super::keys::Config;

/// Prints for each file `FILE: OK`, or a line for every problem; warnings come before the `OK`.
/// Returns whether all files are valid. An error is one of the output.
pub fn check_config<P: AsRef<Path>>(
    files: &[P],
    env: &dyn Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> io::Result<bool> {
    let mut all_right = true;
    for file in files {
        let file = file.as_ref();
        match Config::load(file, env) {
            Ok(checked) => {
                for warning in checked.warnings {
                    writeln!(out, "{}", warning.as_warning())?;
                }
                writeln!(out, "{}: OK", file.display())?;
            }
            Err(problems) => {
                all_right = false;
                for problem in problems {
                    writeln!(out, "{problem}")?;
                }
            }
        }
    }
    Ok(all_right)
}
