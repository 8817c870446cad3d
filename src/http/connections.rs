//! Connections that are held without asking for anything. actix limits the time for the head of a connection's first request and the idle
//! time between requests; whoever trickles a later head, or a body after its answer, is within neither. Here a connection on which no request
//! runs is given what both allow together, and is closed then.
//!
//! Nor may whoever holds many of them keep others out. A worker that holds nearly as many as it may closes those that lay idle longest, so that
//! whoever comes is served; only where a request runs on each of them do new ones wait. An answer that is made is out of sight here, though it
//! may be long on its way: so those that had one a moment ago are spared where others can give way.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_tls::accept::openssl::TlsStream;
use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::rt;
use actix_web::rt::net::TcpStream;
use actix_web::rt::task::JoinHandle;
use openssl::ssl::SslRef;
use tokio::time::{Instant, sleep_until};

use super::client_certificate::Shown;
use crate::jose::certificate::ClientCertificate;

/// How often it is said that connections give way.
const SAID_EACH: Duration = Duration::from_mins(1);

/// How long a connection is spared once its answer is made, where others can give way: on a slow line a page takes seconds to arrive.
const GRACE: Duration = Duration::from_secs(5);

/// What is known of all connections of a process.
#[derive(Debug, Default)]
pub struct Tally {
    open: AtomicU64,
    gave_way: AtomicU64,
    said: Mutex<Option<Instant>>,
}

impl Tally {
    /// Connections that are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Idle connections that were closed since the start, as others wanted their place.
    pub fn gave_way(&self) -> u64 {
        self.gave_way.load(Ordering::Relaxed)
    }

    /// Tells the log that a worker is full: once, and then rarely.
    fn say_full(&self, gave_way: usize) {
        self.gave_way.fetch_add(gave_way as u64, Ordering::Relaxed);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() >= SAID_EACH) {
            *said = Some(Instant::now());
            tracing::warn!(
                open = self.open(),
                "nearly as many connections are open as the limit of open files allows: those that lay idle longest are closed for new ones. Raise the limit (LimitNOFILE), or see who holds them"
            );
        }
    }
}

thread_local! {
    static HERE: Rc<Worker> = Rc::default();
}

/// The connections of this thread.
#[derive(Default)]
struct Worker {
    /// Those that nobody has closed yet.
    open: Cell<usize>,
    connections: RefCell<Vec<Weak<Connection>>>,
}

impl Worker {
    /// Has some of those give way that lay idle longest, where there are more than `room`.
    fn make_room(&self, room: usize, tally: &Tally) {
        if self.open.get() < room {
            return;
        }
        let idle = {
            let mut connections = self.connections.borrow_mut();
            connections.retain(|connection| connection.strong_count() > 0);
            let open = connections.iter().filter_map(Weak::upgrade);
            let mut idle: Vec<Rc<Connection>> =
                open.filter(|connection| connection.is_idle()).collect();
            idle.sort_by_key(|connection| connection.quiet_since.get());
            idle
        };
        let quiet = idle.iter().map(|one| one.quiet_since.get().elapsed());
        let few = how_many(quiet, room);
        for connection in &idle[..few] {
            connection.close();
        }
        tally.say_full(few);
    }

    fn add(&self, connection: &Rc<Connection>) {
        self.open.set(self.open.get() + 1);
        let mut connections = self.connections.borrow_mut();
        if connections.len() > 2 * self.open.get() + 64 {
            connections.retain(|connection| connection.strong_count() > 0);
        }
        connections.push(Rc::downgrade(connection));
    }
}

/// How many give way of those that have been quiet for so long, the longest first.
fn how_many(quiet: impl ExactSizeIterator<Item = Duration>, room: usize) -> usize {
    // Some at once, as each time all of them are looked through.
    let few = quiet.len().min(1 + room / 16);
    match quiet.take(few).take_while(|time| *time >= GRACE).count() {
        // There is no other way: new ones would be kept out by whoever fills a worker within that time.
        0 => few,
        rested => rested,
    }
}

/// A connection that is looked after; part of the data that its requests share.
struct Connection {
    /// A handle of our own, as the one that serves is out of reach. Without one, as the process is out of them, it has what actix gives it.
    socket: Option<std::net::TcpStream>,
    running: Cell<u32>,
    quiet_since: Cell<Instant>,
    closed: Cell<bool>,
    timer: RefCell<Option<JoinHandle<()>>>,
    worker: Rc<Worker>,
    tally: Arc<Tally>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        self.leave();
        self.tally.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    fn is_idle(&self) -> bool {
        self.running.get() == 0 && self.socket.is_some() && !self.closed.get()
    }

    /// Counts no more among those that take up room.
    fn leave(&self) {
        if !self.closed.replace(true) {
            let open = self.worker.open.get();
            self.worker.open.set(open.saturating_sub(1));
        }
    }

    /// Has whoever serves it find it closed.
    fn close(&self) {
        if let Some(socket) = &self.socket {
            let _ = socket.shutdown(Shutdown::Both);
            self.leave();
        }
    }

    /// When it is to be closed, should nothing be asked before.
    fn until(&self, limit: Duration) -> Instant {
        match self.running.get() {
            0 => self.quiet_since.get() + limit,
            _ => Instant::now() + limit,
        }
    }
}

/// A request that runs, until it is dropped.
pub(super) struct Running(Rc<Connection>);

impl Running {
    fn on(connection: &Rc<Connection>) -> Self {
        connection.running.set(connection.running.get() + 1);
        Self(Rc::clone(connection))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get().saturating_sub(1));
        self.0.quiet_since.set(Instant::now());
    }
}

/// For `HttpServer::on_connect`: looks after each connection, which may be without a request for `limit`, and of which a worker takes `most`.
pub fn look_after(
    limit: Duration,
    most: usize,
    tally: Arc<Tally>,
) -> impl Fn(&dyn Any, &mut Extensions) + Clone {
    // What is closed is gone a moment later, and a handshake under way isn't known here.
    let room = (most - most / 8).max(1);
    move |io, data| {
        let plain = io.downcast_ref::<TcpStream>();
        let tls = || io.downcast_ref::<TlsStream<TcpStream>>();
        let Some(stream) = plain.or_else(|| tls().map(|stream| stream.get_ref())) else {
            return;
        };
        if let Some(shown) = tls().and_then(|stream| certificate_of(stream.ssl())) {
            data.insert(shown);
        }
        let worker = HERE.with(Rc::clone);
        let socket = stream.as_fd().try_clone_to_owned().ok().map(Into::into);
        // Out of handles, whatever took them: some have to be given back now.
        worker.make_room(if socket.is_some() { room } else { 0 }, &tally);
        tally.open.fetch_add(1, Ordering::Relaxed);
        let connection = Rc::new(Connection {
            socket,
            running: Cell::new(0),
            quiet_since: Cell::new(Instant::now()),
            closed: Cell::new(false),
            timer: RefCell::new(None),
            worker: Rc::clone(&worker),
            tally: Arc::clone(&tally),
        });
        worker.add(&connection);
        let watched = Rc::downgrade(&connection);
        let timer = rt::spawn(async move {
            let mut wake = Instant::now() + limit;
            loop {
                sleep_until(wake).await;
                let Some(connection) = watched.upgrade() else {
                    return;
                };
                wake = connection.until(limit);
                if wake <= Instant::now() {
                    tracing::debug!("a connection is closed on which nothing was asked");
                    connection.close();
                    return;
                }
            }
        });
        connection.timer.replace(Some(timer));
        data.insert(connection);
    }
}

/// The certificate that was shown at the handshake, where one was asked for.
fn certificate_of(ssl: &SslRef) -> Option<Shown> {
    let own = ssl.peer_certificate()?;
    let chain = ssl.peer_cert_chain().into_iter().flatten();
    let chain = chain.map(ToOwned::to_owned);
    match ClientCertificate::new(own, chain) {
        Ok(shown) => Some(Shown(Arc::new(shown))),
        Err(error) => {
            tracing::info!(%error, "a connection showed a certificate that can't be read");
            None
        }
    }
}

/// Says that a request came that is answered at once.
pub(super) fn touch(request: &ServiceRequest) {
    if let Some(connection) = request.request().conn_data::<Rc<Connection>>() {
        connection.quiet_since.set(Instant::now());
    }
}

/// Says that a request runs, until what is returned is dropped.
pub(super) fn begin(request: &ServiceRequest) -> Option<Running> {
    request
        .request()
        .conn_data::<Rc<Connection>>()
        .map(Running::on)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn those_that_were_answered_a_moment_ago_give_way_only_where_all_were() {
        for (quiet, room, expected) in [
            (&[90, 80, 70, 60, 50, 40, 3][..], 70, 5),
            (&[90, 80, 70, 4, 3, 2, 1], 70, 3),
            (&[5, 4, 4], 70, 1),
            (&[4, 4, 3, 2, 1, 0, 0], 70, 5),
            (&[4, 4], 70, 2),
            (&[90, 80], 0, 1),
            (&[4, 4], 0, 1),
            (&[], 70, 0),
        ] {
            let times = quiet.iter().copied().map(Duration::from_secs);
            assert_eq!(how_many(times, room), expected, "{quiet:?} of {room}");
        }
    }

    #[test]
    fn a_full_worker_finds_room_though_all_were_answered_a_moment_ago() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (worker, tally) = (Rc::<Worker>::default(), Arc::<Tally>::default());
        let open = |seconds| {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let quiet_since = Instant::now().checked_sub(Duration::from_secs(seconds));
            tally.open.fetch_add(1, Ordering::Relaxed);
            let connection = Rc::new(Connection {
                socket: Some(listener.accept().unwrap().0),
                running: Cell::new(0),
                quiet_since: Cell::new(quiet_since.unwrap()),
                closed: Cell::new(false),
                timer: RefCell::new(None),
                worker: Rc::clone(&worker),
                tally: Arc::clone(&tally),
            });
            worker.add(&connection);
            (connection, client)
        };
        let mut all: Vec<_> = [1, 60, 0].into_iter().map(open).collect();
        all.extend((3..16).map(|_| open(0)));
        let closed = |all: &[(Rc<Connection>, TcpStream)]| {
            let closed = all.iter().map(|(connection, _)| connection.closed.get());
            closed.collect::<Vec<_>>()
        };
        worker.make_room(17, &tally);
        assert_eq!(closed(&all), [false; 16], "there is room");
        let mut expected = [false; 16];
        worker.make_room(16, &tally);
        expected[1] = true;
        assert_eq!(closed(&all), expected, "one rested long enough");
        assert_eq!(all[1].1.read(&mut [0; 1]).unwrap(), 0, "in order");
        let running = Running::on(&all[0].0);
        worker.make_room(15, &tally);
        expected[2] = true;
        assert_eq!(
            closed(&all),
            expected,
            "of all others, the one that rested longest"
        );
        drop(running);
        assert_eq!((tally.open(), tally.gave_way()), (16, 2));
    }
}
