//! Log lines on their way to standard error: gathered for a moment and written together, as each write is a system call that every request
//! would wait for. A warning or an error is written at once, with what came before it.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits at the most; what `kill -9` can lose.
const DELAY: Duration = Duration::from_millis(50);

/// How many bytes wait at the most.
const BOUND: usize = 64 << 10;

struct Shared<W> {
    state: Mutex<State<W>>,
    /// Something waits that nothing waited for before.
    begun: Condvar,
}

struct State<W> {
    waiting: Vec<u8>,
    sink: W,
    /// Nobody empties the buffer but whoever writes into it.
    unattended: bool,
}

impl<W: Write> State<W> {
    /// A reader that has gone away is none of our business, and there is no other place to complain at.
    fn flush(&mut self) {
        let _ = self.sink.write_all(&self.waiting);
        let _ = self.sink.flush();
        self.waiting.clear();
    }
}

/// The buffer, and a thread that empties it. Cheap to clone.
pub(super) struct LogBuffer<W>(Arc<Shared<W>>);

impl<W> Clone for LogBuffer<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Write + Send + 'static> LogBuffer<W> {
    /// Before this sink. Without a thread to be had, each line is written at once.
    pub(super) fn before(sink: W) -> Self {
        Self::emptied_by(sink, |empty| {
            let named = std::thread::Builder::new().name("tessera-log".into());
            named.spawn(empty).map(|_| ())
        })
    }

    fn emptied_by(sink: W, spawn: impl FnOnce(Box<dyn FnOnce() + Send>) -> io::Result<()>) -> Self {
        let buffer = Self(Arc::new(Shared {
            state: Mutex::new(State {
                waiting: Vec::with_capacity(BOUND),
                sink,
                unattended: false,
            }),
            begun: Condvar::new(),
        }));
        let emptied = buffer.clone();
        if spawn(Box::new(move || emptied.empty())).is_err() {
            buffer.lock().unattended = true;
        }
        buffer
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn empty(&self) {
        loop {
            let waited = self
                .0
                .begun
                .wait_while(self.lock(), |state| state.waiting.is_empty());
            drop(waited);
            std::thread::sleep(DELAY);
            self.lock().flush();
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&self) {
        self.lock().flush();
    }

    fn put(&self, line: &[u8], at_once: bool) {
        let mut state = self.lock();
        let begins = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        if at_once || state.unattended || state.waiting.len() >= BOUND {
            state.flush();
        } else if begins {
            self.0.begun.notify_one();
        }
    }
}

/// Takes one event's line.
pub(super) struct Line<W> {
    buffer: LogBuffer<W>,
    at_once: bool,
}

impl<W: Write + Send + 'static> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.put(bytes, self.at_once);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'writer, W: Write + Send + 'static> MakeWriter<'writer> for LogBuffer<W> {
    type Writer = Line<W>;

    fn make_writer(&'writer self) -> Line<W> {
        Line {
            buffer: self.clone(),
            at_once: true,
        }
    }

    fn make_writer_for(&'writer self, event: &Metadata<'_>) -> Line<W> {
        Line {
            buffer: self.clone(),
            at_once: *event.level() <= Level::WARN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Each write by itself.
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            self.0.lock().unwrap().push(text);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Writes {
        fn list(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    #[test]
    fn lines_are_written_together_in_their_order() {
        let writes = Writes::default();
        let buffer = LogBuffer::before(writes.clone());
        buffer.put(b"one\n", false);
        buffer.put(b"two\n", false);
        let begun = Instant::now();
        while writes.list().is_empty() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(writes.list().concat(), "one\ntwo\n");
        buffer.put(b"three\n", false);
        buffer.flush();
        assert_eq!(writes.list().concat(), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_warning_waits_for_nothing_and_overtakes_nothing() {
        let writes = Writes::default();
        let buffer = LogBuffer::before(writes.clone());
        buffer.put(b"info\n", false);
        buffer.put(b"warning\n", true);
        assert_eq!(writes.list().concat(), "info\nwarning\n");
    }

    #[test]
    fn without_a_thread_nothing_waits() {
        let writes = Writes::default();
        let buffer =
            LogBuffer::emptied_by(writes.clone(), |_| Err(io::ErrorKind::WouldBlock.into()));
        buffer.put(b"one\n", false);
        buffer.put(b"two\n", false);
        assert_eq!(writes.list(), ["one\n", "two\n"]);
    }

    #[test]
    fn no_more_waits_than_the_bound() {
        let writes = Writes::default();
        let buffer = LogBuffer::before(writes.clone());
        for _ in 0..100 {
            buffer.put(&[b'x'; 1 << 10], false);
        }
        assert!(writes.list().iter().map(String::len).sum::<usize>() >= BOUND);
    }
}
