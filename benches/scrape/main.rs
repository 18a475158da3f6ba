//! What a scrape costs over loopback HTTP, and what sending the same bytes prebuilt would.
//!
//! `cargo bench --bench scrape` prints a table for 100, 10 000 and 100 000 steps, a tenth of them
//! RUNNING. Contenders take turns, so that what else the machine does hits them alike; figures are
//! medians. The client reads into one small buffer and keeps nothing, in a thread of its own. An
//! argument selects a number of steps.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads clocks and prints its figures"
)]

mod program;

use std::convert::Infallible;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::exposition::{
    Encoding, Exposition, Format, FramePool, Frames, Next, Scrape,
};
use imagebuilder_exporter::http::{Exporter, Limits, MAX_REQUESTS, Server, bind};
use imagebuilder_exporter::status::Site;
use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use program::Program;

/// The most steps the `prometheus` crate is asked for; more take it too long.
const PEER_STEPS: usize = 10_000;

/// The number of scrapes that begin together: as many as may be in progress.
const AT_ONCE: usize = MAX_REQUESTS;

const GZIP: &str = "accept-encoding: gzip\r\n";

/// The contender that scrapes after a poll of each running step.
const POLLED: &str = "rendered gzip, polled";

fn main() {
    let runtime = Runtime::new().expect("the runtime starts");
    println!("| steps | contender | bytes | median ms | x prebuilt | first byte ms |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let selected: Option<usize> = std::env::args().find_map(|argument| argument.parse().ok());
    for (steps, rounds) in [(100, 301), (10_000, 61), (100_000, 11)] {
        if selected.is_some_and(|selected| selected != steps) {
            continue;
        }
        measure(&runtime, steps, rounds);
    }
}

fn measure(runtime: &Runtime, steps: usize, rounds: usize) {
    let program = Arc::new(Program::with_steps(steps));
    let exporter = serve_exporter(runtime, program.clone());
    let plain = rendered(program.scrape(), Encoding::Identity);
    let packed = rendered(program.scrape(), Encoding::Gzip);
    let mut contenders = vec![
        Contender::over_http("prebuilt", serve_prebuilt(runtime, plain.clone()), ""),
        Contender::over_http("rendered", exporter, ""),
        Contender::over_http("prebuilt gzip", serve_prebuilt(runtime, packed), ""),
        Contender::over_http("rendered gzip", exporter, GZIP),
        Contender::over_http(POLLED, exporter, GZIP),
    ];
    for round in 0..rounds {
        for contender in &mut contenders {
            if contender.name == POLLED {
                program.poll();
            }
            let sample = contender.scrape();
            // The first warms caches and pools.
            if round > 0 {
                contender.samples.push(sample);
            }
        }
    }
    for (at, contender) in contenders.iter().enumerate() {
        let limit = if at < 2 { 0 } else { 2 };
        let limit = contenders[limit].median(|sample| sample.total);
        contender.print(steps, limit);
    }
    let [limit, gzip_limit] = [0, 2].map(|at| contenders[at].median(|sample| sample.total));
    for contender in &contenders[2..4] {
        at_once(steps, contender, &program, gzip_limit);
    }
    render_alone(steps, rounds, &program, Encoding::Identity, limit);
    render_alone(steps, rounds, &program, Encoding::Gzip, gzip_limit);
    if steps <= PEER_STEPS {
        gauge_vecs(steps, &plain, limit);
    }
}

/// One who serves a scrape over HTTP.
struct Contender {
    name: &'static str,
    address: SocketAddr,
    request: String,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    bytes: usize,
    first_byte: Duration,
    total: Duration,
}

impl Contender {
    fn over_http(name: &'static str, address: SocketAddr, headers: &str) -> Self {
        Self {
            name,
            address,
            request: format!(
                "GET /metrics HTTP/1.1\r\nhost: exporter\r\nconnection: close\r\n{headers}\r\n"
            ),
            samples: Vec::new(),
        }
    }

    fn scrape(&self) -> Sample {
        let mut buffer = vec![0; 256 * 1024];
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        let begun = Instant::now();
        stream
            .write_all(self.request.as_bytes())
            .expect("the server takes a request");
        let mut bytes = 0;
        let mut first_byte = Duration::ZERO;
        loop {
            let read = stream.read(&mut buffer).expect("the server answers");
            if bytes == 0 {
                first_byte = begun.elapsed();
            }
            if read == 0 {
                break;
            }
            bytes += read;
        }
        Sample {
            bytes,
            first_byte,
            total: begun.elapsed(),
        }
    }

    fn median(&self, of: impl Fn(&Sample) -> Duration) -> Duration {
        median(self.samples.iter().map(of).collect())
    }

    fn print(&self, steps: usize, limit: Duration) {
        let total = self.median(|sample| sample.total);
        println!(
            "| {steps} | {} | {} | {} | {:.2} | {} |",
            self.name,
            self.samples[0].bytes,
            millis(total),
            total.as_secs_f64() / limit.as_secs_f64(),
            millis(self.median(|sample| sample.first_byte)),
        );
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

/// Many scrapes that begin together.
fn at_once(steps: usize, contender: &Contender, program: &Program, limit: Duration) {
    let scrape_all = || {
        let begun = Instant::now();
        std::thread::scope(|threads| {
            for _ in 0..AT_ONCE {
                threads.spawn(|| contender.scrape());
            }
        });
        begun.elapsed()
    };
    let time = median((0..7).map(|_| program.hold(scrape_all)).collect());
    println!(
        "| {steps} | {}, {AT_ONCE} at once | | {} | {:.2} | |",
        contender.name,
        millis(time),
        time.as_secs_f64() / limit.as_secs_f64()
    );
}

/// Rendering into frames that nobody sends.
fn render_alone(
    steps: usize,
    rounds: usize,
    program: &Program,
    encoding: Encoding,
    limit: Duration,
) {
    let pool = Arc::new(FramePool::default());
    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..rounds {
        let begun = Instant::now();
        bytes = 0;
        each_frame(program.scrape(), encoding, &pool, |frame| {
            bytes += black_box(frame).len();
        });
        times.push(begun.elapsed());
    }
    let time = median(times);
    println!(
        "| {steps} | rendered{}, not sent | {bytes} | {} | {:.2} | |",
        match encoding {
            Encoding::Identity => "",
            Encoding::Gzip => " gzip",
        },
        millis(time),
        time.as_secs_f64() / limit.as_secs_f64()
    );
}

/// The step families as the `prometheus` crate would hold and encode them, not sent.
fn gauge_vecs(steps: usize, text: &Bytes, limit: Duration) {
    let registry = Registry::new();
    let text = std::str::from_utf8(text).expect("the text is UTF-8");
    let mut family: Option<(&str, GaugeVec)> = None;
    for line in text
        .lines()
        .filter(|line| line.starts_with("imagebuilder_workflow_"))
    {
        let (name, rest) = line.split_once('{').expect("a step's series has labels");
        let (labels, value) = rest.rsplit_once("} ").expect("a series has a value");
        let pairs: Vec<_> = labels
            .split(',')
            .map(|pair| pair.split_once('=').expect("a label has a value"))
            .collect();
        let names: Vec<_> = pairs.iter().map(|(name, _)| *name).collect();
        if family.as_ref().is_none_or(|(known, _)| *known != name) {
            let gauges = GaugeVec::new(Opts::new(name, name), &names).expect("names are valid");
            registry
                .register(Box::new(gauges.clone()))
                .expect("a family's series stand together");
            family = Some((name, gauges));
        }
        let values: Vec<_> = pairs
            .iter()
            .map(|(_, value)| value.trim_matches('"'))
            .collect();
        let (_, gauges) = family.as_ref().expect("it was just made");
        gauges
            .with_label_values(&values)
            .set(value.parse().expect("a value is a number"));
    }
    let mut times = Vec::new();
    let mut out = Vec::new();
    for _ in 0..7 {
        let begun = Instant::now();
        out.clear();
        TextEncoder::new()
            .encode(&registry.gather(), &mut out)
            .expect("a Vec takes all");
        times.push(begun.elapsed());
    }
    let time = median(times);
    println!(
        "| {steps} | GaugeVecs, not sent | {} | {} | {:.2} | |",
        out.len(),
        millis(time),
        time.as_secs_f64() / limit.as_secs_f64()
    );
}

fn rendered(scrape: Scrape, encoding: Encoding) -> Bytes {
    let mut all = Vec::new();
    each_frame(scrape, encoding, &Arc::default(), |frame| {
        all.extend_from_slice(frame);
    });
    Bytes::from(all)
}

fn each_frame(
    scrape: Scrape,
    encoding: Encoding,
    pool: &Arc<FramePool>,
    mut each: impl FnMut(&Bytes),
) {
    let mut frames = Frames::new(
        Exposition::new(scrape, Format::Text),
        encoding,
        pool.clone(),
    );
    loop {
        match frames.advance() {
            Next::Frame(frame) => each(&frame),
            Next::Working => {}
            Next::End => return,
        }
    }
}

fn serve_exporter(runtime: &Runtime, exporter: Arc<Program>) -> SocketAddr {
    let listeners = runtime
        .block_on(bind("127.0.0.1:0"))
        .expect("loopback has a free port");
    let address = listeners[0].local_addr().expect("it is bound");
    let server = Server {
        listeners,
        exporter,
        site: Site {
            telemetry_path: "/metrics".to_owned(),
            external_url: None,
        },
        limits: Limits::default(),
        web: None,
        clock: Clock::System,
        drain_timeout: Duration::ZERO,
    };
    runtime.spawn(server.run(std::future::pending()));
    address
}

/// A hyper server that has the whole answer ready.
fn serve_prebuilt(runtime: &Runtime, body: Bytes) -> SocketAddr {
    let listener = runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let body = body.clone();
            let service = service_fn(move |_| {
                let body = body.clone();
                async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}
