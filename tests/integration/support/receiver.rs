//! A client's own server: takes logout tokens, publishes keys and request objects, answers as it is told, and remembers what came.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How it answers.
#[derive(Clone, Debug)]
pub enum Answering {
    /// With this status and nothing else.
    Status(u16),
    /// With a redirect to here.
    Redirect(String),
    /// With 200 and so many bytes.
    AtLength(usize),
    /// With 200, this type and this body.
    Body(&'static str, String),
    /// Not at all.
    Never,
}

/// What came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Method and target.
    pub line: String,
    /// The header, in lower case.
    pub header: String,
    pub body: String,
}

struct State {
    answering: Answering,
    received: Vec<Received>,
    /// Those that aren't answered are kept open.
    open: Vec<TcpStream>,
}

/// The server, for as long as the test runs.
#[derive(Clone)]
pub struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let receiver = Self {
            address: listener.local_addr().expect("an address"),
            state: Arc::new(Mutex::new(State {
                answering: Answering::Status(200),
                received: Vec::new(),
                open: Vec::new(),
            })),
        };
        let own = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                std::thread::spawn(move || own.take(stream));
            }
        });
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics")
    }

    fn take(&self, mut stream: TcpStream) {
        let Some(received) = read(&mut stream) else {
            return;
        };
        let answering = {
            let mut state = self.lock();
            state.received.push(received);
            state.answering.clone()
        };
        let text = match answering {
            Answering::Status(status) => {
                format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            }
            Answering::Redirect(to) => format!(
                "HTTP/1.1 307 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            ),
            Answering::AtLength(bytes) => format!(
                "HTTP/1.1 200 X\r\ncontent-length: {bytes}\r\nconnection: close\r\n\r\n{}",
                "x".repeat(bytes)
            ),
            Answering::Body(content_type, body) => format!(
                "HTTP/1.1 200 X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            ),
            Answering::Never => {
                self.lock().open.push(stream);
                return;
            }
        };
        let _ = stream.write_all(text.as_bytes());
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn answer(&self, answering: Answering) {
        self.lock().answering = answering;
    }

    /// What has come so far.
    pub fn received(&self) -> Vec<Received> {
        self.lock().received.clone()
    }

    /// The logout tokens that have come so far.
    pub fn tokens(&self) -> Vec<String> {
        let received = self.received();
        let tokens = received.iter().map(|one| {
            let token = one.body.strip_prefix("logout_token=");
            token.unwrap_or_else(|| panic!("{one:?}")).to_owned()
        });
        tokens.collect()
    }

    /// Waits until so many have come.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let begun = Instant::now();
        loop {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{} came, not {count}",
                received.len()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn read(stream: &mut TcpStream) -> Option<Received> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    let header = String::from_utf8(bytes).ok()?;
    let (line, header) = header.split_once("\r\n")?;
    let (line, header) = (line.to_owned(), header.to_lowercase());
    let length = header
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap_or(0));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Received {
        line,
        header,
        body: String::from_utf8(body).ok()?,
    })
}
