//! How soon the program listens and responds after it is started.
//!
//! `cargo bench --bench start` starts the real program with 1, 10 000 and 100 000 listed steps in turn, and
//! prints medians and their range: until a connection is accepted, and until `/-/healthy` and a scrape
//! are answered. Nothing listens at the endpoint, so no call succeeds.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads clocks and prints its figures"
)]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const SIZES: [usize; 3] = [1, 10_000, 100_000];
const ROUNDS: usize = 21;
/// A program that has not begun to listen by then failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends with the round, whatever happens in it.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let files = SIZES.map(file);
    let mut times = SIZES.map(|_| [const { Vec::new() }; 3]);
    // In turn, so that whatever else runs here slows all of them.
    for _ in 0..ROUNDS {
        for (file, times) in files.iter().zip(&mut times) {
            for (time, times) in start(file).into_iter().zip(times) {
                times.push(time);
            }
        }
    }
    println!("| listed steps | listens after ms | healthy | scrape |");
    println!("| --- | --- | --- | --- |");
    for (steps, times) in SIZES.iter().zip(times) {
        let cells = times.map(|times| format!(" {} |", summary(times)));
        println!("| {steps} |{}", cells.concat());
    }
}

/// Writes a configuration with so many listed steps.
fn file(steps: usize) -> PathBuf {
    let mut text = "targets:\n- name: production\n  regions: [us-west-2]\n  \
         endpoint_url: http://127.0.0.1:9\n  step_executions:\n"
        .to_owned();
    for step in 0..steps {
        // Spread like real ids.
        let id = (step as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (high, low) = (id >> 32, id & 0xffff_ffff);
        let _ = writeln!(text, "  - step-{high:08x}-1111-4111-8111-2222{low:08x}");
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("start-{steps}.yaml"));
    std::fs::write(&path, text).expect("the folder is cargo's");
    path
}

/// Returns the times since the program was started.
fn start(file: &Path) -> [Duration; 3] {
    let address = free_address();
    let begun = Instant::now();
    let program = Command::new(env!("CARGO_BIN_EXE_imagebuilder_exporter"))
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--web.listen-address={address}"))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _program = Program(program.expect("cargo has built it"));
    let connection = loop {
        match TcpStream::connect(address) {
            Ok(connection) => break connection,
            Err(error) if begun.elapsed() > PATIENCE => panic!("no connection: {error}"),
            Err(_) => sleep(Duration::from_micros(200)),
        }
    };
    let listens = begun.elapsed();
    get(connection, "/-/healthy");
    let healthy = begun.elapsed();
    get(TcpStream::connect(address).expect("it listens"), "/metrics");
    [listens, healthy, begun.elapsed()]
}

fn get(mut connection: TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("it reads");
    let mut response = Vec::new();
    connection.read_to_end(&mut response).expect("it responds");
    assert!(response.starts_with(b"HTTP/1.1 200"), "{path}");
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound")
}

fn summary(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let millis = |at: usize| times[at].as_secs_f64() * 1_000.0;
    let (least, median, most) = (millis(0), millis(times.len() / 2), millis(times.len() - 1));
    format!("{median:.1} ({least:.1} to {most:.1})")
}
