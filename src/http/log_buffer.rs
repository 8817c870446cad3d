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
    waiting: Mutex<Waiting>,
    /// Held while it is written to, which takes as long as whoever reads it likes; never waited for by whoever holds `waiting`.
    sink: Mutex<Sink<W>>,
    /// Something waits that nothing waited for before.
    begun: Condvar,
}

struct Waiting {
    lines: Vec<u8>,
    /// Nobody empties the buffer but whoever writes into it.
    unattended: bool,
}

struct Sink<W> {
    writer: W,
    /// Empty, to be filled while what was gathered before is written.
    spare: Vec<u8>,
}

/// The buffer, and a thread that empties it. Cheap to clone.
pub(super) struct LogBuffer<W>(Arc<Shared<W>>);

impl<W> Clone for LogBuffer<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Write + Send + 'static> LogBuffer<W> {
    /// Before this sink. Without a thread to be had, each line is written at once.
    pub(super) fn before(sink: W) -> Self {
        Self::emptied_by(sink, |empty| {
            let named = std::thread::Builder::new().name("tessera-log".into());
            named.spawn(empty).map(|_| ())
        })
    }

    fn emptied_by(
        writer: W,
        spawn: impl FnOnce(Box<dyn FnOnce() + Send>) -> io::Result<()>,
    ) -> Self {
        let buffer = Self(Arc::new(Shared {
            waiting: Mutex::new(Waiting {
                lines: Vec::with_capacity(BOUND),
                unattended: false,
            }),
            sink: Mutex::new(Sink {
                writer,
                spare: Vec::with_capacity(BOUND),
            }),
            begun: Condvar::new(),
        }));
        let emptied = buffer.clone();
        if spawn(Box::new(move || emptied.empty())).is_err() {
            lock(&buffer.0.waiting).unattended = true;
        }
        buffer
    }

    fn empty(&self) {
        loop {
            let waited = self
                .0
                .begun
                .wait_while(lock(&self.0.waiting), |waiting| waiting.lines.is_empty());
            drop(waited);
            std::thread::sleep(DELAY);
            self.flush();
        }
    }

    /// Writes what waits. A reader that has gone away is none of our business, and there is no other place to complain at.
    pub(super) fn flush(&self) {
        let mut sink = lock(&self.0.sink);
        let Sink { writer, spare } = &mut *sink;
        std::mem::swap(&mut lock(&self.0.waiting).lines, spare);
        let _ = writer.write_all(spare);
        let _ = writer.flush();
        spare.clear();
    }

    fn put(&self, line: &[u8], at_once: bool) {
        let mut waiting = lock(&self.0.waiting);
        let begins = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        if at_once || waiting.unattended || waiting.lines.len() >= BOUND {
            drop(waiting);
            self.flush();
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

    /// Writes nothing until it is let go.
    #[derive(Clone, Default)]
    struct Stalled(Arc<(Mutex<bool>, Condvar)>, Writes);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (free, changed) = &*self.0;
            drop(
                changed
                    .wait_while(free.lock().unwrap(), |free| !*free)
                    .unwrap(),
            );
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_that_stalls() {
        let stalled = Stalled::default();
        let buffer = LogBuffer::emptied_by(stalled.clone(), |_| Ok(()));
        buffer.put(b"one\n", false);
        let writing = std::thread::spawn({
            let buffer = buffer.clone();
            move || buffer.flush()
        });
        while buffer.0.sink.try_lock().is_ok() {
            std::thread::yield_now();
        }
        for _ in 0..10 {
            buffer.put(b"more\n", false);
        }
        let (free, changed) = &*stalled.0;
        *free.lock().unwrap() = true;
        changed.notify_all();
        writing.join().unwrap();
        buffer.flush();
        assert_eq!(
            stalled.1.list().concat(),
            format!("one\n{}", "more\n".repeat(10))
        );
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
