//! Generates the man pages and shell completions of the packages from the definition of the command
//! line, with `UPDATE_DOCS=1 cargo test`.
//!
//! They are files of the repository, so that building the program or a package needs no generator.

use std::io::Write;

use clap::{Command, CommandFactory};
use clap_complete::{Generator, Shell};
use clap_mangen::Man;

use super::Cli;
use crate::docs::assert_kept;

const NAME: &str = "imagebuilder_exporter";

/// Returns the command line with the version alone, as the revision differs between builds.
fn command() -> Command {
    Cli::command()
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
}

fn text(write: impl FnOnce(&mut dyn Write)) -> String {
    let mut text = Vec::new();
    write(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn man_pages_of_docs_are_generated_from_the_definition() {
    let mut cli = command();
    cli.build();
    for command in std::iter::once(&cli).chain(cli.get_subcommands()) {
        // An empty date would be left out, and each later value would take the place before its own.
        let page = Man::new(command.clone())
            .date(" ")
            .source(concat!("version ", env!("CARGO_PKG_VERSION")))
            .manual(NAME);
        let file = format!("deploy/package/man/{}", page.get_filename());
        assert_kept(&file, &text(|mut file| page.render(&mut file).unwrap()));
    }
}

#[test]
fn shell_completions_of_docs_are_generated_from_the_definition() {
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let file = format!("deploy/package/completions/{}", shell.file_name(NAME));
        let completions =
            text(|mut file| clap_complete::generate(shell, &mut command(), NAME, &mut file));
        assert_kept(&file, &completions);
    }
}
