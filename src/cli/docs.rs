//! Generates `docs/cli.md` from the definition of the command line, with `UPDATE_DOCS=1 cargo test`.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use super::Cli;

const HEAD: &str = "\
# Command line

Reference of the commands, flags, environment variables and exit codes. Generated from the code: run
`UPDATE_DOCS=1 cargo test --lib docs` after a change.

Write a flag as `--flag=VALUE` or `--flag VALUE`. Each flag also has an environment variable; the
flag takes precedence. If a flag can be repeated, its variable holds several values, separated by
commas. The variable of a switch is `true` or `false`.

The exit code is 0 after SIGTERM or SIGINT; a second one ends the exporter at once. It is 1 if the
configuration is invalid or an address cannot be bound, and 2 if the command line is invalid. SIGHUP
reloads the configuration.
";

fn rendered() -> String {
    let mut cli = Cli::command();
    cli.build();
    let mut page = HEAD.to_owned();
    section(&mut page, &cli, "`imagebuilder_exporter`".to_owned());
    for command in cli.get_subcommands().filter(|c| c.get_name() != "help") {
        let heading = format!("`imagebuilder_exporter {}`", command.get_name());
        section(&mut page, command, heading);
    }
    page
}

fn section(page: &mut String, command: &Command, heading: String) {
    let about = command.get_long_about().or(command.get_about()).unwrap();
    write!(page, "\n## {heading}\n\n{}\n", sentence(&about.to_string())).unwrap();
    for arg in command.get_positionals() {
        let help = arg.get_help().unwrap().to_string();
        write!(page, "\n`{arg}`: {}\n", sentence(&help)).unwrap();
    }
    let flags: Vec<&Arg> = flags(command).collect();
    if !flags.is_empty() {
        page.push_str("\n| flag | default | variable | meaning |\n| --- | --- | --- | --- |\n");
    }
    for flag in flags {
        writeln!(
            page,
            "| {} | {} | `{}` | {} |",
            written(flag),
            default(flag),
            flag.get_env().unwrap().to_str().unwrap(),
            meaning(flag),
        )
        .unwrap();
    }
}

/// Returns the flags, except those that clap adds.
fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|arg| !arg.is_positional() && !matches!(arg.get_id().as_str(), "help" | "version"))
}

fn written(flag: &Arg) -> String {
    let name = flag.get_long().unwrap();
    match flag.get_value_names() {
        Some([value]) if flag.get_action().takes_values() => format!("`--{name}={value}`"),
        _ => format!("`--{name}`"),
    }
}

fn default(flag: &Arg) -> String {
    match flag.get_default_values() {
        _ if !flag.get_action().takes_values() => "off".to_owned(),
        [] if flag.is_required_set() => "required".to_owned(),
        [] => "none".to_owned(),
        values => code(values.iter().map(|value| value.to_str().unwrap())),
    }
}

fn meaning(flag: &Arg) -> String {
    let help = sentence(&flag.get_help().unwrap().to_string());
    let choices = flag.get_possible_values();
    if !flag.get_action().takes_values() || choices.is_empty() {
        return help;
    }
    format!(
        "{help} {}.",
        code(choices.iter().map(|choice| choice.get_name()))
    )
}

fn code<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// Ends a help text with a full stop, which clap's style omits.
fn sentence(help: &str) -> String {
    let help = help.trim_end();
    if help.ends_with('.') {
        help.to_owned()
    } else {
        format!("{help}.")
    }
}

#[test]
fn command_line_page_is_generated_from_the_definition() {
    crate::docs::assert_kept("docs/cli.md", &rendered());
}

#[test]
fn every_flag_reads_the_variable_of_its_name() {
    let mut cli = Cli::command();
    cli.build();
    for command in std::iter::once(&cli).chain(cli.get_subcommands()) {
        for flag in flags(command) {
            let name = flag.get_long().unwrap();
            let variable = name.to_uppercase().replace(['.', '-'], "_");
            assert_eq!(
                flag.get_env().and_then(|env| env.to_str()),
                Some(format!("IMAGEBUILDER_EXPORTER_{variable}").as_str()),
                "--{name}"
            );
        }
    }
}
