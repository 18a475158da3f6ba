//! `check-config`: prints the problems of each file.

use std::io::{self, Write};
use std::path::Path;

use super::keys::Config;
use super::web::Web;

/// Prints for each file `FILE: OK`, or a line for every problem; warnings come before the `OK`. `web` is
/// the web configuration file.
/// Returns whether all files are valid. An error is one of the output.
pub fn check_config<P: AsRef<Path>>(
    files: &[P],
    web: Option<&Path>,
    env: &dyn Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> io::Result<bool> {
    let mut all_right = true;
    let files = files.iter().map(|file| {
        let file = file.as_ref();
        let checked = Config::load(file, env);
        (file, checked.map(|checked| checked.warnings))
    });
    let web = web.map(|file| (file, Web::load(file).map(|_| Vec::new())));
    for (file, checked) in files.chain(web) {
        match checked {
            Ok(warnings) => {
                for warning in warnings {
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
