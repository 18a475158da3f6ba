//! Compares a scrape with sending the same bytes prebuilt, and with exporters that use the client
//! libraries for Rust and Python.
//!
//! `cargo bench --bench scrape` prints two tables for 10 000 and 100 000 steps, a tenth of them
//! RUNNING: the measurements, and the goals. An argument selects a number of steps. Contenders take
//! turns, so what else the machine does affects all of them; a ratio compares scrapes of the same
//! round, and in the goals the few scrapes of a client library with the median. A client reads into one small buffer, in the main thread.
//!
//! An argument that is the name of a contender lets it take part alone, for a profiler.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads clocks and prints its figures"
)]

mod contender;
mod families;
mod goals;
mod peers;
mod program;
mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use imagebuilder_exporter::exposition::{
    Encoding, Exposition, Format, Frames, Next, Scrape, SharedFrames,
};
use imagebuilder_exporter::http::Exporter;
use tokio::runtime::Runtime;

use contender::{Contender, Way, spread};
use families::Families;
use goals::Goals;
use peers::PythonPeer;
use program::Program;
use servers::{serve_crate, serve_exporter, serve_prebuilt};

/// The most steps whose `GaugeVecs` are measured: 100 000 steps take 5 GB.
const GAUGE_VECS_STEPS: usize = 10_000;

const PREBUILT: &str = "prebuilt";
const OURS: &str = "exporter";
const PREBUILT_GZIP: &str = "prebuilt, gzip";
const OURS_GZIP: &str = "exporter, gzip";
const COLLECTOR: &str = "`prometheus` crate, collector";
const PYTHON: &str = "Python prometheus_client";
const PYTHON_GZIP: &str = "Python prometheus_client, gzip";
const AT_ONCE: &str = "prebuilt, gzip, 40 at once";

fn main() {
    let selected: Option<usize> = std::env::args().find_map(|argument| argument.parse().ok());
    let alone = std::env::args()
        .skip(1)
        .find(|argument| [OURS, PREBUILT].iter().any(|one| argument.starts_with(one)));
    let runtime = Runtime::new().expect("the runtime starts");
    let begun = Instant::now();
    let mut goals = Goals::default();
    let mut missing = None;
    println!(
        "| steps | contender | MB | median ms | CPU ms | first byte ms | x prebuilt | middle half |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    // Peers take part in every so many rounds: in five of 10 000 steps, and in two of 100 000.
    for (steps, rounds, peers_every) in [(10_000, 61, 12), (100_000, 21, 11)] {
        if selected.is_none_or(|selected| selected == steps) {
            let mut arena = Arena::new(&runtime, steps, peers_every, alone.as_deref());
            missing = arena.python.as_ref().err().cloned();
            arena.measure(rounds);
            arena.print();
            goals.judge(steps, &arena.contenders);
        }
    }
    println!();
    goals.print();
    println!("\nThe run took {} s.", begun.elapsed().as_secs());
    if let Some(missing) = missing {
        println!("NOT COMPARED WITH PYTHON: {missing}");
    }
}

/// The contenders with the same steps.
struct Arena {
    steps: usize,
    program: Arc<Program>,
    contenders: Vec<Contender>,
    python: Result<PythonPeer, String>,
}

impl Arena {
    fn new(runtime: &Runtime, steps: usize, peers_every: usize, alone: Option<&str>) -> Self {
        let program = Arc::new(Program::with_steps(steps));
        // The families of the peers refer to it until the end.
        let plain: &'static str = String::leak(
            String::from_utf8(rendered(program.scrape(), Encoding::Identity))
                .expect("an exposition is UTF-8"),
        );
        let mut contenders = ours(runtime, &program, plain);
        if let Some(alone) = alone {
            contenders.retain(|contender| contender.name == alone);
            return Self {
                steps,
                program,
                contenders,
                python: Err("one contender takes part alone".to_owned()),
            };
        }
        let families = Arc::new(Families::parse(plain));
        let python = PythonPeer::start(&families);
        let peers = peers(runtime, steps, families, python.as_ref().ok());
        contenders.extend(peers.into_iter().map(|peer| peer.every(peers_every)));
        Self {
            steps,
            program,
            contenders,
            python,
        }
    }

    fn measure(&mut self, rounds: usize) {
        for contender in &mut self.contenders {
            contender.warm_up(&self.program);
        }
        for round in 0..rounds {
            for contender in &mut self.contenders {
                contender.take_turn(round, &self.program);
            }
        }
    }

    fn print(&self) {
        for contender in &self.contenders {
            // One that takes part alone is compared with itself.
            let limit = contender::named(&self.contenders, contender.limit).unwrap_or(contender);
            let ratios = spread(contender.ratios_to(limit));
            println!(
                "| {} | {} | {:.1} | {} | {} | {} | {:.2} | {:.2} to {:.2} |",
                self.steps,
                contender.name,
                contender.samples().next().map_or(0, |sample| sample.bytes) as f64 / 1e6,
                millis(contender.median(|sample| Some(sample.total))),
                millis(contender.median(|sample| sample.cpu)),
                millis(contender.median(|sample| sample.first_byte)),
                ratios.median,
                ratios.low,
                ratios.high,
            );
        }
    }
}

/// The exporter, and servers that have its answers ready.
fn ours(runtime: &Runtime, program: &Arc<Program>, plain: &'static str) -> Vec<Contender> {
    let packed = rendered(program.scrape(), Encoding::Gzip);
    let exporter = serve_exporter(runtime, program.clone());
    let prebuilt = serve_prebuilt(runtime, plain.into());
    let prebuilt_gzip = serve_prebuilt(runtime, packed.into());
    let alone = Way::Alone;
    let gzip = PREBUILT_GZIP;
    vec![
        Contender::new(PREBUILT, PREBUILT, Way::plain(prebuilt)),
        Contender::new(OURS, PREBUILT, Way::plain(exporter)),
        Contender::new("exporter, not sent", PREBUILT, alone(Encoding::Identity)),
        Contender::new(gzip, gzip, Way::gzip(prebuilt_gzip)),
        Contender::new(OURS_GZIP, gzip, Way::gzip(exporter)),
        Contender::new("exporter, gzip, polled", gzip, Way::polled(exporter)),
        Contender::new("exporter, gzip, not sent", gzip, alone(Encoding::Gzip)),
        Contender::new(AT_ONCE, AT_ONCE, Way::at_once(prebuilt_gzip)).every(3),
        Contender::new(
            "exporter, gzip, 40 at once",
            AT_ONCE,
            Way::at_once(exporter),
        )
        .every(3),
    ]
}

fn peers(
    runtime: &Runtime,
    steps: usize,
    families: Arc<Families>,
    python: Option<&PythonPeer>,
) -> Vec<Contender> {
    let mut peers = Vec::new();
    if steps <= GAUGE_VECS_STEPS {
        let address = serve_crate(runtime, peers::with_gauge_vecs(&families));
        let name = "`prometheus` crate, `GaugeVecs`";
        peers.push(Contender::new(name, PREBUILT, Way::plain(address)));
    }
    let address = serve_crate(runtime, peers::with_collector(families));
    peers.push(Contender::new(COLLECTOR, PREBUILT, Way::plain(address)));
    if let Some(python) = python {
        let [plain, gzip] = [Way::plain, Way::gzip].map(|way| way(python.address));
        let [plain, gzip] = [plain, gzip].map(|way| way.of_process(python.id()));
        peers.push(Contender::new(PYTHON, PREBUILT, plain));
        peers.push(Contender::new(PYTHON_GZIP, PREBUILT_GZIP, gzip));
    }
    peers
}

fn millis(time: Option<Duration>) -> String {
    time.map_or(String::new(), |time| {
        format!("{:.2}", time.as_secs_f64() * 1e3)
    })
}

fn rendered(scrape: Scrape, encoding: Encoding) -> Vec<u8> {
    let mut all = Vec::new();
    each_frame(scrape, encoding, &Arc::default(), |frame| {
        all.extend_from_slice(frame);
    });
    all
}

fn each_frame(
    scrape: Scrape,
    encoding: Encoding,
    shared: &SharedFrames,
    mut each: impl FnMut(&[u8]),
) {
    let exposition = Exposition::new(scrape, Format::Text);
    let mut frames = Frames::new(exposition, encoding, shared);
    loop {
        match frames.advance() {
            Next::Frame(frame) => each(&frame),
            Next::Working => {}
            Next::End => return,
        }
    }
}
