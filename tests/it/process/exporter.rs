//! The program as a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command as PlainCommand, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::{Client, Files, LOOK_EVERY, PATIENCE, Response, Scrape};

/// How the program is to be started: arguments, environment, files.
#[derive(Debug)]
pub struct Setup {
    pub files: Files,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// How many file descriptors it may have; `None` for the limit of the test.
    descriptors: Option<u32>,
}

/// How a process ended, and what it had said.
#[derive(Debug)]
pub struct Ended {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

type Lines = Arc<Mutex<Vec<String>>>;

/// A running process; it is killed with the value.
#[derive(Debug)]
pub struct Exporter {
    pub files: Files,
    pub addresses: Vec<SocketAddr>,
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// What a process says on one of its outputs.
#[derive(Debug)]
struct Output {
    lines: Lines,
    reader: JoinHandle<()>,
}

impl Setup {
    /// The program without arguments, in an empty directory and an environment that has AWS
    /// credentials for nothing, and no way to find others.
    pub fn new() -> Self {
        let files = Files::new();
        let home = files.path("").display().to_string();
        let setup = Self {
            files,
            arguments: Vec::new(),
            environment: Vec::new(),
            descriptors: None,
        };
        setup
            .env("HOME", &home)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
    }

    /// The exporter on a free port of the loopback interface, with this configuration.
    pub fn exporter(config: &str) -> Self {
        let setup = Self::new();
        let file = setup.files.write("config.yaml", config);
        setup
            .arg(&format!("--config.file={}", file.display()))
            .arg("--web.listen-address=127.0.0.1:0")
    }

    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Without any credentials that the SDK could find.
    pub fn without_credentials(self) -> Self {
        self.without_env("AWS_ACCESS_KEY_ID")
            .without_env("AWS_SECRET_ACCESS_KEY")
    }

    /// With so few file descriptors.
    pub fn with_descriptors(self, count: u32) -> Self {
        Self {
            descriptors: Some(count),
            ..self
        }
    }

    /// Starts a process that is to stay, and waits until it listens on so many addresses.
    pub async fn start_with_addresses(self, count: usize) -> Exporter {
        let mut exporter = self.spawn();
        let listening = |line: &String| line.contains("listening");
        let told = |lines: &[String]| lines.iter().filter(|line| listening(line)).count() >= count;
        exporter.until_log("it listens", told).await;
        let log = exporter.log();
        let listening = log.iter().filter(|line| listening(line));
        exporter.addresses = listening.map(|line| address_in(line)).collect();
        exporter
    }

    pub async fn start(self) -> Exporter {
        self.start_with_addresses(1).await
    }

    /// Runs a process that ends by itself.
    pub async fn run(self) -> Ended {
        self.spawn().ended(PATIENCE).await
    }

    /// Starts a process, and waits for nothing.
    pub fn spawn(self) -> Exporter {
        let program = env!("CARGO_BIN_EXE_imagebuilder_exporter");
        let mut command = match self.descriptors {
            None => Command::new(program),
            Some(count) => {
                let mut shell = Command::new("sh");
                let limited = format!("ulimit -n {count} && exec \"$0\" \"$@\"");
                shell.args(["-c", &limited, program]);
                shell
            }
        };
        let mut child = command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment)
            .current_dir(self.files.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Exporter {
            stdout: Output::of(child.stdout.take().unwrap()),
            stderr: Output::of(child.stderr.take().unwrap()),
            child,
            files: self.files,
            addresses: Vec::new(),
        }
    }
}

impl Exporter {
    pub fn client(&self) -> Client {
        Client {
            address: self.addresses[0],
        }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client().get(path).await
    }

    pub async fn post(&self, path: &str) -> Response {
        self.client().post(path).await
    }

    pub async fn scrape(&self) -> Scrape {
        let answer = self.get("/metrics").await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        Scrape {
            text: answer.text(),
        }
    }

    /// Scrapes until something is so, and gives the scrape in which it was.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
        let mut last = None;
        let waiting = async {
            loop {
                let scrape = self.scrape().await;
                if is_so(&scrape) {
                    return scrape;
                }
                last = Some(scrape);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(scrape) => scrape,
            Err(_) => {
                let samples = last.iter().flat_map(|last: &Scrape| last.samples());
                let samples: Vec<_> = samples.filter(|line| !line.contains("_bucket{")).collect();
                panic!(
                    "waited in vain until {what}; {}\n{}",
                    samples.join("\n"),
                    self.log().join("\n")
                )
            }
        }
    }

    /// Scrapes until the one series that a selector matches has this value.
    pub async fn until_value(&self, selector: &str, value: f64) -> Scrape {
        let what = format!("{selector} is {value}");
        self.until(&what, |scrape| scrape.value(selector) == Some(value))
            .await
    }

    /// Scrapes until the one series that a selector matches is over this value.
    pub async fn until_over(&self, selector: &str, value: f64) -> Scrape {
        let what = format!("{selector} is over {value}");
        let over = |scrape: &Scrape| scrape.value(selector).is_some_and(|found| found > value);
        self.until(&what, over).await
    }

    pub async fn until_ready(&self) {
        let waiting = async {
            while self.get("/-/ready").await.status != 200 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let ready = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(ready.is_ok(), "not ready; {}", self.log().join("\n"));
    }

    /// The lines on standard error so far.
    pub fn log(&self) -> Vec<String> {
        self.stderr.lines()
    }

    /// The lines on standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lines()
    }

    /// Waits until standard output begins with these lines.
    pub async fn until_stdout(&self, expected: &[String]) {
        let waiting = async {
            while !self.stdout().starts_with(expected) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{:?}", self.stdout());
    }

    /// How many lines of the log so far have all of these in them.
    pub fn count_log(&self, parts: &[&str]) -> usize {
        let log = self.log();
        let matching = log
            .iter()
            .filter(|line| parts.iter().all(|part| line.contains(part)));
        matching.count()
    }

    /// Waits until a line of the log has all of these in it, and gives the line.
    pub async fn until_line(&self, parts: &[&str]) -> String {
        let has = |line: &&String| parts.iter().all(|part| line.contains(part));
        let what = format!("the log has {parts:?}");
        self.until_log(&what, |log| log.iter().any(|line| has(&line)))
            .await;
        self.log().iter().find(has).unwrap().clone()
    }

    pub async fn until_log(&self, what: &str, is_so: impl Fn(&[String]) -> bool) {
        let waiting = async {
            while !is_so(&self.log()) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(
            waited.is_ok(),
            "waited in vain until {what}; {}",
            self.log().join("\n")
        );
    }

    pub fn write_config(&self, text: &str) -> PathBuf {
        self.files.write("config.yaml", text)
    }

    /// Sends a signal, named as `kill` names it.
    pub fn signal(&self, name: &str) {
        let id = self.id();
        // The standard library sends none; the shell everywhere does.
        let kill = format!("kill -{name} {id}");
        let status = PlainCommand::new("sh").args(["-c", &kill]).status();
        assert!(status.unwrap().success(), "{kill}");
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it was not waited for")
    }

    /// Waits until the process listens; returns false if it ends before.
    pub async fn listens(mut self) -> bool {
        let lines = self.stderr.lines.clone();
        let is_listening = |line: &String| line.contains("listening");
        let listening = async {
            while !lines.lock().unwrap().iter().any(is_listening) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            () = listening => true,
            _ = self.child.wait() => false,
        }
    }

    /// Waits for the end of the process.
    pub async fn ended(mut self, within: Duration) -> Ended {
        let status = tokio::time::timeout(within, self.child.wait()).await;
        let log = self.log().join("\n");
        let status = status.unwrap_or_else(|_| panic!("still runs after {within:?}; {log}"));
        Ended {
            code: status.unwrap().code(),
            stdout: self.stdout.all().await,
            stderr: self.stderr.all().await,
        }
    }
}

impl Output {
    fn of(output: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let lines = Lines::default();
        let written = lines.clone();
        let mut output = BufReader::new(output).split(b'\n');
        let reader = tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_segment().await {
                let line = String::from_utf8_lossy(&line).into_owned();
                written.lock().unwrap().push(line);
            }
        });
        Self { lines, reader }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Everything, once the process has closed it.
    async fn all(self) -> Vec<String> {
        let closed = tokio::time::timeout(PATIENCE, self.reader).await;
        closed
            .expect("an output is closed with its process")
            .unwrap();
        self.lines.lock().unwrap().clone()
    }
}

/// The address in a line of the log, in logfmt or JSON.
fn address_in(line: &str) -> SocketAddr {
    let (_, rest) = line
        .split_once("address=")
        .or_else(|| line.split_once("\"address\":"))
        .unwrap_or_else(|| panic!("no address in {line}"));
    let rest = rest.trim_start_matches('"');
    let end = rest.find(['"', ' ', ',']).unwrap_or(rest.len());
    rest[..end].parse().unwrap()
}
