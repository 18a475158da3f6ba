//! Step files as they are read with the file that names them.

use imagebuilder_exporter::config::{Checked, Config, Problem, check_config};

use super::{env, lines};
use crate::process::Files;

/// The step of this number.
fn step(number: u32) -> String {
    format!("step-00000000-0000-0000-0000-{number:012}")
}

/// A directory in which `config.yaml` has one target with these patterns, and step 1 listed.
fn setup(patterns: &str) -> Files {
    let files = Files::new();
    std::fs::create_dir(files.path("steps.d")).unwrap();
    let text = format!(
        "polling: {{interval: 1m}}
targets:
  - name: a
    regions: [us-west-2]
    step_executions: [{}]
    step_executions_files: [{patterns}]
",
        step(1)
    );
    files.write("config.yaml", &text);
    files
}

fn load(files: &Files) -> Result<Checked, Vec<Problem>> {
    Config::load(&files.path("config.yaml"), &env)
}

fn ids(files: &Files) -> Vec<String> {
    let checked = load(files).unwrap_or_else(|problems| panic!("{}", lines(&problems)));
    let steps = &checked.config.targets[0].step_executions;
    steps.iter().map(|step| step.id.to_string()).collect()
}

/// What is wrong, without the directory that all files are in.
fn told(files: &Files) -> String {
    let directory = files.path("").display().to_string();
    lines(&load(files).unwrap_err()).replace(&directory, "")
}

#[test]
fn steps_of_files_stand_behind_those_of_the_list() {
    let files = setup("'steps.d/*.{yaml,yml}', more.yaml");
    files.write("steps.d/b.yaml", &format!("[{}]", step(4)));
    files.write("steps.d/c.yml", "# none yet\n[]\n");
    files.write(
        "steps.d/a.yaml",
        &format!(
            "- {}\n- {{id: \"{}\", interval: 10s, labels: {{change: CHG0042}}}}\n",
            step(2),
            step(3)
        ),
    );
    files.write("more.yaml", "- ${STEP}\n");
    files.write("steps.d/not-matched.txt", "no steps");
    files.write("steps.d/.hidden.yaml", "no steps");
    let steps = [1, 2, 3, 4].map(step);
    let ids = ids(&files);
    assert_eq!(ids[..4], steps);
    assert_eq!(ids[4..], [super::STEP]);
    let config = load(&files).unwrap().config;
    let steps = &config.targets[0].step_executions;
    assert_eq!(steps[1].interval(&config.polling).as_secs(), 60);
    assert_eq!(steps[2].interval(&config.polling).as_secs(), 10);
    assert_eq!(steps[2].labels.as_ref().unwrap()["change"], "CHG0042");
}

#[test]
fn no_file_is_no_mistake() {
    let files = setup("'steps.d/*.yaml', steps.d/later.yaml, later.d/a.yaml, 'later.d/*'");
    assert_eq!(ids(&files), [step(1)]);
}

#[test]
fn mistakes_are_told_with_the_place_in_their_file() {
    let files = setup("'steps.d/*.yaml'");
    files.write("steps.d/a.yaml", &format!("- {}\n- step-2\n", step(2)));
    files.write(
        "steps.d/b.yaml",
        &format!("- {{id: {}, interval: 0s}}\n", step(3)),
    );
    files.write("steps.d/c.yaml", "");
    files.write("steps.d/d.yaml", "steps: []\n");
    files.write("steps.d/e.yaml", "- [\n");
    files.write("steps.d/f.yaml", "[]\n---\n[]\n");
    files.write("steps.d/g.yaml", &format!("- {}\n- {}\n", step(2), step(1)));
    std::fs::write(files.path("steps.d/h.yaml"), b"- \xff\n").unwrap();
    assert_eq!(
        told(&files),
        "steps.d/a.yaml:2:3: [1]: \"step-2\" is not a step execution id; write one such as step-01234567-89ab-cdef-0123-456789abcdef
steps.d/b.yaml:1:61: [0].interval: \"0s\" is zero; write a duration above 0, such as 30s
steps.d/c.yaml:1:1: the file is empty; write a list of step executions, or [] if there are none
steps.d/d.yaml:1:1: the file must be a list of step executions, where each item begins with a dash, not a mapping
steps.d/e.yaml:2:1: this is not valid YAML; check the indentation, the quotes and the brackets
steps.d/f.yaml:2:1: a second document begins here; write only one document
steps.d/g.yaml:1:3: [0]: the step execution \"step-00000000-0000-0000-0000-000000000002\" is listed twice; keep one; the first is at steps.d/a.yaml:1:3
steps.d/g.yaml:2:3: [1]: the step execution \"step-00000000-0000-0000-0000-000000000001\" is listed twice; keep one; the first is at config.yaml:5:23
steps.d/h.yaml:1:3: this byte is not UTF-8; save the file as UTF-8
"
    );
    let mut out = Vec::new();
    assert!(!check_config(&[files.path("config.yaml")], None, &env, &mut out).unwrap());
    let directory = files.path("").display().to_string();
    let out = String::from_utf8(out).unwrap().replace(&directory, "");
    assert_eq!(out, told(&files));
}

#[test]
fn mistakes_of_the_file_come_before_those_of_its_step_files() {
    let files = setup("'steps.d/*.yaml', steps.d");
    let config = std::fs::read_to_string(files.path("config.yaml")).unwrap();
    files.write("config.yaml", &config.replace("1m", "1"));
    files.write("steps.d/a.yaml", "- x\n");
    let told = told(&files);
    let places: Vec<_> = told
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        places,
        ["config.yaml:1:21", "steps.d/a.yaml:1:3", "steps.d:1:1"]
    );
    assert!(
        told.contains("this is a directory; name the files in it"),
        "{told}"
    );
}

#[test]
fn file_that_two_patterns_name_is_read_once_and_one_of_two_targets_refused() {
    let files = setup("'steps.d/*.yaml', steps.d/a.yaml");
    files.write("steps.d/a.yaml", &format!("- {}\n", step(2)));
    assert_eq!(ids(&files), [1, 2].map(step));
    let config = std::fs::read_to_string(files.path("config.yaml")).unwrap();
    let other = "  - {name: b, regions: [us-west-2], step_executions_files: [steps.d/a.yaml]}\n";
    files.write("config.yaml", &(config + other));
    let directory = files.path("").display().to_string();
    assert_eq!(
        told(&files).replace(&directory, ""),
        "config.yaml:7:61: targets[1].step_executions_files[0]: another target names steps.d/a.yaml too; remove it from one of them; the first is at line 6, column 29\n"
    );
}

#[test]
fn huge_files_and_very_many_are_refused() {
    let files = setup("'steps.d/*.yaml'");
    std::fs::write(files.path("steps.d/a.yaml"), vec![b'#'; 1 << 20]).unwrap();
    std::fs::write(files.path("steps.d/b.yaml"), vec![b'#'; (1 << 20) + 1]).unwrap();
    let told_of_size = told(&files);
    assert!(
        told_of_size.contains("steps.d/b.yaml:1:1: the file is larger than 1 MiB"),
        "{told_of_size}"
    );
    for n in 0..17 {
        std::fs::write(
            files.path(&format!("steps.d/{n}.yaml")),
            vec![b'#'; 1 << 20],
        )
        .unwrap();
    }
    let told_of_sum = told(&files);
    assert!(
        told_of_sum.contains("with this file, step files have more than 16 MiB in total"),
        "{told_of_sum}"
    );
    for n in 0..1_000 {
        std::fs::write(files.path(&format!("steps.d/{n}.yaml")), "[]").unwrap();
    }
    let told_of_number = told(&files);
    assert!(
        told_of_number.contains(
            "config.yaml:6:29: targets[0].step_executions_files[0]: there are more than 1000 step files"
        ),
        "{told_of_number}"
    );
}

#[test]
fn look_tells_whatever_changes_what_is_read() {
    let files = setup("'steps.d/*.yaml'");
    files.write("steps.d/a.yaml", &format!("- {}\n", step(2)));
    let read = load(&files).unwrap().step_files;
    assert_eq!(read.look(), read);
    files.write("steps.d/unmatched", "");
    assert_eq!(read.look(), read);
    // The same length, and perhaps the same time.
    files.write("steps.d/a.yaml", &format!("- {}\n", step(3)));
    let changed = read.look();
    assert_ne!(changed, read);
    files.write("steps.d/b.yaml", "[]");
    let added = read.look();
    assert_ne!(added, changed);
    std::fs::remove_file(files.path("steps.d/b.yaml")).unwrap();
    assert_eq!(read.look(), changed);
    std::fs::remove_file(files.path("steps.d/a.yaml")).unwrap();
    assert_ne!(read.look(), changed);
    files.write("steps.d/a.yaml", &format!("- {}\n", step(2)));
    assert_eq!(read.look(), read);
}
