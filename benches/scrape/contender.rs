//! A contender and the time of its scrapes.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use imagebuilder_exporter::exposition::{Encoding, SharedFrames};
use imagebuilder_exporter::http::{Exporter, MAX_REQUESTS};
use rustix::time::{ClockId, clock_gettime};

use crate::each_frame;
use crate::program::Program;

/// How a contender is scraped.
pub(crate) enum Way {
    Http(Http),
    /// Rendered into frames that are not sent.
    Alone(Encoding),
}

pub(crate) struct Http {
    address: SocketAddr,
    gzip: bool,
    /// All running steps are polled before.
    polled: bool,
    clients: usize,
    /// The id of the server's process, if it is not this one.
    process: Option<u32>,
}

impl Http {
    fn new(address: SocketAddr, gzip: bool) -> Self {
        Self {
            address,
            gzip,
            polled: false,
            clients: 1,
            process: None,
        }
    }
}

impl Way {
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self::Http(Http::new(address, false))
    }

    pub(crate) fn gzip(address: SocketAddr) -> Self {
        Self::Http(Http::new(address, true))
    }

    pub(crate) fn polled(address: SocketAddr) -> Self {
        Self::Http(Http {
            polled: true,
            ..Http::new(address, true)
        })
    }

    /// As many scrapes as may be in progress.
    pub(crate) fn at_once(address: SocketAddr) -> Self {
        Self::Http(Http {
            clients: MAX_REQUESTS,
            ..Http::new(address, true)
        })
    }

    pub(crate) fn of_process(mut self, id: u32) -> Self {
        if let Self::Http(http) = &mut self {
            http.process = Some(id);
        }
        self
    }
}

/// One that serves scrapes.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// The name of the contender that it is compared with.
    pub(crate) limit: &'static str,
    way: Way,
    every: usize,
    shared: SharedFrames,
    /// With the number of the round.
    samples: Vec<(usize, Sample)>,
}

#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) bytes: usize,
    pub(crate) total: Duration,
    pub(crate) first_byte: Option<Duration>,
    /// CPU time of the server.
    pub(crate) cpu: Option<Duration>,
}

impl Contender {
    pub(crate) fn new(name: &'static str, limit: &'static str, way: Way) -> Self {
        Self {
            name,
            limit,
            way,
            every: 1,
            shared: SharedFrames::default(),
            samples: Vec::new(),
        }
    }

    /// Lets it take part in one of so many rounds.
    pub(crate) fn every(mut self, rounds: usize) -> Self {
        self.every = rounds;
        self
    }

    /// Fills caches and pools. A contender of few rounds has no time for it.
    pub(crate) fn warm_up(&self, program: &Program) {
        if self.every == 1 {
            self.scrape(program);
        }
    }

    pub(crate) fn take_turn(&mut self, round: usize, program: &Program) {
        if round % self.every == self.every / 2 {
            let sample = self.scrape(program);
            self.samples.push((round, sample));
        }
    }

    fn scrape(&self, program: &Program) -> Sample {
        let http = match &self.way {
            Way::Alone(encoding) => return self.render(program, *encoding),
            Way::Http(http) => http,
        };
        if http.polled {
            program.poll();
        }
        if http.clients > 1 {
            return program.hold(|| at_once(http));
        }
        let before = server_cpu(http.process);
        let mut sample = fetch(http);
        sample.cpu = Some(server_cpu(http.process).saturating_sub(before));
        sample
    }

    fn render(&self, program: &Program, encoding: Encoding) -> Sample {
        let begun = Instant::now();
        let mut bytes = 0;
        each_frame(program.scrape(), encoding, &self.shared, |frame| {
            bytes += black_box(frame).len();
        });
        Sample {
            bytes,
            total: begun.elapsed(),
            first_byte: None,
            cpu: None,
        }
    }

    pub(crate) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().map(|(_, sample)| sample)
    }

    /// The median of what samples have.
    pub(crate) fn median(&self, of: impl Fn(&Sample) -> Option<Duration>) -> Option<Duration> {
        let mut times: Vec<_> = self.samples().filter_map(of).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    /// How many times as long as the median of another each of its scrapes took, for one of few rounds.
    pub(crate) fn ratios_to_median(&self, other: &Self) -> Option<Vec<f64>> {
        let median = other.median(|sample| Some(sample.total))?.as_secs_f64();
        let ratio = |sample: &Sample| sample.total.as_secs_f64() / median;
        Some(self.samples().map(ratio).collect())
    }

    /// How many times as long as another it took, for each round that both took part in.
    pub(crate) fn ratios_to(&self, other: &Self) -> Vec<f64> {
        let of_round = |round| other.samples.iter().find(|(other, _)| *other == round);
        let ratio = |(round, sample): &(usize, Sample)| {
            let (_, other) = of_round(*round)?;
            Some(sample.total.as_secs_f64() / other.total.as_secs_f64())
        };
        self.samples.iter().filter_map(ratio).collect()
    }
}

pub(crate) fn named<'a>(contenders: &'a [Contender], name: &str) -> Option<&'a Contender> {
    contenders.iter().find(|contender| contender.name == name)
}

/// The median and the middle half; of one or two values, both.
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

pub(crate) fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_unstable_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    let count = values.len();
    Spread {
        low: at(count / 4),
        median: at(count / 2),
        high: at((count - 1).saturating_sub(count / 4)),
    }
}

/// The CPU time of a process; of this one, without the thread that calls.
fn server_cpu(process: Option<u32>) -> Duration {
    match process {
        None => clock(ClockId::ProcessCPUTime).saturating_sub(clock(ClockId::ThreadCPUTime)),
        Some(id) => process_cpu(id),
    }
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::from_secs(time.tv_sec.cast_unsigned())
        + Duration::from_nanos(time.tv_nsec.cast_unsigned())
}

/// In the ticks of the system, 10 ms.
#[cfg(target_os = "linux")]
fn process_cpu(id: u32) -> Duration {
    let stat = procfs::process::Process::new(id.cast_signed())
        .and_then(|process| process.stat())
        .expect("the process runs");
    let ticks = (stat.utime + stat.stime) as f64;
    Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64)
}

#[cfg(not(target_os = "linux"))]
fn process_cpu(_: u32) -> Duration {
    Duration::ZERO
}

fn fetch(http: &Http) -> Sample {
    let mut buffer = vec![0; 256 * 1024];
    let mut stream = TcpStream::connect(http.address).expect("the server listens");
    let encoding = if http.gzip {
        "accept-encoding: gzip\r\n"
    } else {
        ""
    };
    let request =
        format!("GET /metrics HTTP/1.1\r\nhost: exporter\r\nconnection: close\r\n{encoding}\r\n");
    let begun = Instant::now();
    stream
        .write_all(request.as_bytes())
        .expect("the server takes a request");
    let mut bytes = 0;
    let mut first_byte = None;
    loop {
        let read = stream.read(&mut buffer).expect("the server answers");
        first_byte.get_or_insert_with(|| begun.elapsed());
        if read == 0 {
            break;
        }
        bytes += read;
    }
    Sample {
        bytes,
        total: begun.elapsed(),
        first_byte,
        cpu: None,
    }
}

fn at_once(http: &Http) -> Sample {
    let bytes = AtomicUsize::new(0);
    let begun = Instant::now();
    std::thread::scope(|threads| {
        for _ in 0..http.clients {
            threads.spawn(|| bytes.fetch_add(fetch(http).bytes, Ordering::Relaxed));
        }
    });
    Sample {
        bytes: bytes.into_inner(),
        total: begun.elapsed(),
        first_byte: None,
        cpu: None,
    }
}
