//! Connections that are held without asking for anything. actix limits the time for the head of a connection's first request and the idle
//! time between requests; whoever trickles a later head, or a body after its answer, is within neither. Here a connection on which no request
//! runs is given what both allow together, and is closed then.
//!
//! Nor may whoever holds many of them keep others out. A worker that holds nearly as many as it may closes those that lay idle longest, so that
//! whoever comes is served; only where a request runs on each of them do new ones wait.

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
        // Some at once, as each time all of them are looked through.
        let few = idle.len().min(1 + room / 16);
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
