//! Between a server and PostgreSQL: forwards message by message, slowly, not at all, or up to a point.

use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// What it does at the moment.
#[derive(Default)]
struct State {
    /// Milliseconds before each message of the client's.
    delay: AtomicU64,
    /// Messages of clients that are still forwarded; negative for all.
    left: AtomicI64,
    forwarded: AtomicU64,
    /// Of how many commits the answer is withheld, and the connection closed instead.
    commits_to_lose: AtomicI64,
    commits_lost: AtomicU64,
}

/// A proxy that runs until the program ends.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

impl Proxy {
    /// In front of the PostgreSQL at a port.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let state = Arc::new(State::default());
        state.left.store(-1, SeqCst);
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(client, port, &state));
            }
        });
        Self { port: own, state }
    }

    /// The same login by way of the proxy, unencrypted, so that it can read along.
    pub fn url(&self, direct: &str) -> String {
        let mut url = url::Url::parse(direct).expect("a URL");
        url.set_port(Some(self.port)).expect("a port");
        url.query_pairs_mut()
            .append_pair("sslmode", "disable")
            .append_pair("gssencmode", "disable");
        url.into()
    }

    /// Each message of a client's takes so long.
    pub fn delay(&self, delay: Duration) {
        self.state
            .delay
            .store(u64::try_from(delay.as_millis()).expect("short"), SeqCst);
    }

    /// Forwards so many more messages of clients and then closes every connection that sends another; none for no end.
    pub fn cut_after(&self, messages: Option<u64>) {
        self.state.forwarded.store(0, SeqCst);
        let left = messages.map_or(-1, |messages| i64::try_from(messages).expect("few"));
        self.state.left.store(left, SeqCst);
    }

    /// How many messages of clients were forwarded since.
    pub fn forwarded(&self) -> u64 {
        self.state.forwarded.load(SeqCst)
    }

    /// Of the next commits, lets PostgreSQL have them and nobody hear of it.
    pub fn lose_commits(&self, number: u64) {
        self.state
            .commits_to_lose
            .store(i64::try_from(number).expect("few"), SeqCst);
    }

    /// How many were lost so by now.
    pub fn commits_lost(&self) -> u64 {
        self.state.commits_lost.load(SeqCst)
    }
}

fn serve(client: TcpStream, port: u16, state: &Arc<State>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (Ok(client_in), Ok(server_in)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let losing = Arc::new(AtomicBool::new(false));
    let (state_of_answers, losing_of_answers) = (Arc::clone(state), Arc::clone(&losing));
    let answers = thread::spawn(move || {
        let _ = answers(server_in, &client_in, &state_of_answers, &losing_of_answers);
        let _ = client_in.shutdown(Shutdown::Both);
    });
    let _ = requests(client, &server, state, &losing);
    let _ = server.shutdown(Shutdown::Both);
    let _ = answers.join();
}

fn answers(
    mut server: TcpStream,
    mut client: &TcpStream,
    state: &State,
    losing: &AtomicBool,
) -> io::Result<()> {
    let mut chunk = [0; 16_384];
    loop {
        let read = server.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        if losing.load(SeqCst) {
            // PostgreSQL has answered, so that it has committed.
            state.commits_lost.fetch_add(1, SeqCst);
            return Ok(());
        }
        client.write_all(&chunk[..read])?;
    }
}

/// The first message has no type, only a length; then there is a byte for the type before it.
fn requests(
    mut client: TcpStream,
    mut server: &TcpStream,
    state: &State,
    losing: &AtomicBool,
) -> io::Result<()> {
    let mut first = true;
    loop {
        let mut message = vec![0; if first { 4 } else { 5 }];
        client.read_exact(&mut message)?;
        let length = u32::from_be_bytes(message[message.len() - 4..].try_into().expect("four"));
        let start = message.len();
        message.resize(start + (length as usize).saturating_sub(4), 0);
        client.read_exact(&mut message[start..])?;
        let delay = state.delay.load(SeqCst);
        if delay > 0 {
            thread::sleep(Duration::from_millis(delay));
        }
        let left = state.left.load(SeqCst);
        if left == 0 {
            return Ok(());
        }
        if left > 0 {
            state.left.fetch_sub(1, SeqCst);
        }
        let commits =
            !first && message[0] == b'Q' && message.windows(6).any(|word| word == b"COMMIT");
        if commits
            && state.commits_to_lose.load(SeqCst) > 0
            && state.commits_to_lose.fetch_sub(1, SeqCst) > 0
        {
            losing.store(true, SeqCst);
        }
        server.write_all(&message)?;
        state.forwarded.fetch_add(1, SeqCst);
        first = false;
    }
}
