//! The load: connections that each send a request, read the answer, and send the next.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::Result;
use crate::process::{Cpu, Process};
use crate::wire::{self, Answer};

/// What a connection sends next.
pub trait Work {
    /// The next request of connection `number`; `previous` is the answer to the one before, where `wants_answers`. `None` ends the
    /// connection.
    fn next(&mut self, number: usize, previous: Option<&Answer>) -> Option<Vec<u8>>;

    /// Whether answers are to be kept for `next`.
    fn wants_answers(&self) -> bool {
        false
    }

    /// What the server is to answer.
    fn status(&self) -> u16 {
        200
    }
}

/// The same requests over and over, each connection beginning at another.
pub struct Cycle {
    requests: Rc<Vec<Vec<u8>>>,
    at: usize,
}

impl Cycle {
    /// Over these requests.
    pub fn over(requests: Vec<Vec<u8>>) -> Self {
        Self {
            requests: Rc::new(requests),
            at: 0,
        }
    }
}

impl Work for Cycle {
    fn next(&mut self, _: usize, _: Option<&Answer>) -> Option<Vec<u8>> {
        let request = self.requests[self.at % self.requests.len()].clone();
        self.at += 1;
        Some(request)
    }
}

/// Each request once.
pub struct Once {
    requests: std::vec::IntoIter<Vec<u8>>,
}

impl Once {
    /// Over these requests.
    pub fn over(requests: Vec<Vec<u8>>) -> Self {
        Self {
            requests: requests.into_iter(),
        }
    }
}

impl Work for Once {
    fn next(&mut self, _: usize, _: Option<&Answer>) -> Option<Vec<u8>> {
        self.requests.next()
    }
}

/// What came of a measurement.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Requests answered as they should be.
    pub requests: usize,
    /// Seconds that they took.
    pub seconds: f64,
    /// Share of its core that the server used.
    pub server: f64,
    /// Share of its core that the load used.
    pub generator: f64,
    /// Latencies in microseconds, sorted.
    pub latencies: Vec<u32>,
}

impl Outcome {
    /// Requests a second.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// A latency in milliseconds; `share` of the requests were as quick.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into what is there"
    )]
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        f64::from(self.latencies.get(index).copied().unwrap_or_default()) / 1000.0
    }
}

/// How a measurement is made.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Connections.
    pub connections: usize,
    /// Sent before anything counts.
    pub warm_up: Duration,
    /// What counts.
    pub duration: Duration,
    /// At which rate each connection sends, in requests a second; without one, as fast as it is answered.
    pub pace: Option<f64>,
}

struct Shared<W> {
    work: W,
    latencies: Vec<u32>,
    wrong: Option<String>,
}

/// Sends the load to a server and measures it.
pub fn measure(server: &Process, work: impl Work + 'static, shape: Shape) -> Result<Outcome> {
    awake(drive(server, work, shape))
}

/// Runs a future on a processor that never sleeps meanwhile. To wake it would be a part of each of the server's answers, which on a virtual
/// machine costs as much as the rest of the answer, and the more the less there is to do. Whoever shares the processor (PostgreSQL does) goes
/// first: otherwise each of its answers would wait for the end of the spinning thread's slice, which the kernel looks at 250 times a second.
pub fn awake<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(4)
        .build()
        .unwrap_or_else(|error| panic!("no runtime: {error}"));
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let spinning = tokio::task::spawn_local(async {
            loop {
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
        });
        let done = future.await;
        spinning.abort();
        done
    })
}

/// The same for a runtime that is there already.
pub async fn drive(server: &Process, work: impl Work + 'static, shape: Shape) -> Result<Outcome> {
    let port = server.port;
    let answers = work.wants_answers();
    let expected = work.status();
    let shared = Rc::new(RefCell::new(Shared {
        work,
        latencies: Vec::with_capacity(1 << 20),
        wrong: None,
    }));
    let begin = Instant::now() + shape.warm_up;
    let end = begin + shape.duration;
    let connections: Vec<_> = (0..shape.connections)
        .map(|number| {
            let shared = Rc::clone(&shared);
            tokio::task::spawn_local(async move {
                let done = connection(
                    &shared,
                    number,
                    (port, begin, end, shape.pace),
                    (answers, expected),
                )
                .await;
                if let Err(error) = done {
                    shared.borrow_mut().wrong.get_or_insert(error.to_string());
                }
            })
        })
        .collect();
    tokio::time::sleep_until(begin.into()).await;
    let before = (server.cpu(), Cpu::own());
    for connection in connections {
        connection.await?;
    }
    // Work that ran out before the time was up is measured until it did.
    let seconds = begin.elapsed().as_secs_f64();
    let (server, generator) = (server.cpu() - before.0, Cpu::own() - before.1);
    let mut shared = Rc::try_unwrap(shared)
        .map_err(|_| "a connection is still at work")?
        .into_inner();
    if let Some(wrong) = shared.wrong {
        return Err(wrong.into());
    }
    shared.latencies.sort_unstable();
    Ok(Outcome {
        requests: shared.latencies.len(),
        seconds,
        server: server / seconds,
        generator: generator / seconds,
        latencies: shared.latencies,
    })
}

async fn connection<W: Work>(
    shared: &RefCell<Shared<W>>,
    number: usize,
    (port, begin, end, pace): (u16, Instant, Instant, Option<f64>),
    (answers, expected): (bool, u16),
) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(16 << 10);
    let mut previous = None;
    let mut due = Instant::now();
    loop {
        if Instant::now() >= end {
            return Ok(());
        }
        let Some(request) = shared.borrow_mut().work.next(number, previous.as_ref()) else {
            return Ok(());
        };
        if pace.is_some() {
            // The runtime's own timer is right to a millisecond, and this processor doesn't sleep anyway.
            while Instant::now() < due {
                tokio::task::yield_now().await;
            }
        } else {
            due = Instant::now();
        }
        // With a pace, what waits for the answer before counts as waiting: as those who send it would see it.
        let started = due;
        stream.write_all(&request).await?;
        let status = if answers {
            let answer = wire::read(&mut stream, &mut buffer).await?;
            let status = answer.status;
            previous = Some(answer);
            status
        } else {
            wire::read_status(&mut stream, &mut buffer).await?
        };
        if status != expected {
            let text = String::from_utf8_lossy(&buffer).into_owned();
            return Err(format!(
                "{} was answered by {text}",
                String::from_utf8_lossy(&request)
            )
            .into());
        }
        if started >= begin {
            let micros = u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX);
            shared.borrow_mut().latencies.push(micros);
        }
        if let Some(pace) = pace {
            due += Duration::from_secs_f64(1.0 / pace);
        }
    }
}

/// One request, and its answer.
pub fn ask(port: u16, request: &[u8]) -> Result<Answer> {
    let mut answers = ask_all(port, vec![request.to_vec()])?;
    answers.pop().ok_or_else(|| "no answer".into())
}

/// Many requests by a few connections, and their answers in the order of their coming.
pub fn ask_all(port: u16, requests: Vec<Vec<u8>>) -> Result<Vec<Answer>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let connections = requests.len().clamp(1, 32);
        let queue = Rc::new(RefCell::new(requests.into_iter()));
        let answers = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let (queue, answers) = (Rc::clone(&queue), Rc::clone(&answers));
                tokio::task::spawn_local(async move {
                    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
                    let mut buffer = Vec::new();
                    loop {
                        let Some(request) = queue.borrow_mut().next() else {
                            return std::io::Result::Ok(());
                        };
                        stream.write_all(&request).await?;
                        let answer = wire::read(&mut stream, &mut buffer).await?;
                        answers.borrow_mut().push(answer);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(answers.take())
    })
}
