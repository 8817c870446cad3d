//! Connections that are held without asking for anything. actix limits the time for the head of a connection's first request and the idle
//! time between requests; whoever trickles a later head, or a body after its answer, is within neither. Here a connection on which no request
//! runs is given what both allow together, and is closed then.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::sync::Arc;
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

/// A connection that is looked after; part of the data that its requests share.
struct Connection {
    /// A handle of our own, as the one that serves is out of reach.
    socket: std::net::TcpStream,
    running: Cell<u32>,
    quiet_since: Cell<Instant>,
    timer: RefCell<Option<JoinHandle<()>>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
    }
}

impl Connection {
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

/// For `HttpServer::on_connect`: looks after each connection, which may be without a request for `limit`.
pub fn look_after(limit: Duration) -> impl Fn(&dyn Any, &mut Extensions) + Clone {
    move |io, data| {
        let plain = io.downcast_ref::<TcpStream>();
        let tls = || io.downcast_ref::<TlsStream<TcpStream>>();
        let Some(stream) = plain.or_else(|| tls().map(|stream| stream.get_ref())) else {
            return;
        };
        if let Some(shown) = tls().and_then(|stream| certificate_of(stream.ssl())) {
            data.insert(shown);
        }
        // Without a handle to be had the process is out of them, and the connection has what actix gives it.
        let Ok(socket) = stream.as_fd().try_clone_to_owned() else {
            return;
        };
        let connection = Rc::new(Connection {
            socket: socket.into(),
            running: Cell::new(0),
            quiet_since: Cell::new(Instant::now()),
            timer: RefCell::new(None),
        });
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
                    let _ = connection.socket.shutdown(Shutdown::Both);
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
