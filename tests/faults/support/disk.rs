//! A disk that loses its power: what may be found on it afterwards, worked out from what the shim wrote down.
//!
//! What was synced by the cut is there. Of everything else that was written, each piece may be there, be lost, or be there in some
//! of its 512-byte sectors only, in whatever order it was written. A new name in a folder is there for sure when the folder was
//! synced; until then the folder holds what some moment since its last sync held.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::random::Random;

const SECTOR: usize = 512;

/// One record of the shim's.
#[derive(Clone, Debug)]
pub enum Record {
    Create(PathBuf),
    Write(PathBuf, usize, Vec<u8>),
    Truncate(PathBuf, usize),
    SyncBegin(PathBuf, u64),
    SyncEnd(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Mkdir(PathBuf),
    Mark(String),
}

/// Reads all records.
pub fn records_of(log: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut rest = log;
    while rest.len() >= 24 {
        let word = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().expect("four"));
        let eight = |at: usize| u64::from_ne_bytes(rest[at..at + 8].try_into().expect("eight"));
        let (kind, path_length) = (word(0), word(4) as usize);
        let (offset, data_length) = (eight(8), usize::try_from(eight(16)).expect("a length"));
        let path_end = 24 + path_length;
        let text = String::from_utf8_lossy(&rest[24..path_end]).into_owned();
        let data = &rest[path_end..path_end + data_length];
        let other = || PathBuf::from(String::from_utf8_lossy(data).into_owned());
        let at = || usize::try_from(offset).expect("an offset");
        let path = PathBuf::from(&text);
        records.push(match kind {
            1 => Record::Create(path),
            2 => Record::Write(path, at(), data.to_vec()),
            3 => Record::Truncate(path, at()),
            4 => Record::SyncBegin(path, offset),
            5 => Record::SyncEnd(path, offset),
            6 => Record::Unlink(path),
            7 => Record::Rename(path, other()),
            8 => Record::Mkdir(path),
            super::shim::MARK => Record::Mark(text),
            10 => Record::Link(path, other()),
            _ => panic!("a record of kind {kind}"),
        });
        rest = &rest[path_end + data_length..];
    }
    records
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    /// What isn't for sure, with the number of its record.
    pending: Vec<(usize, Change)>,
}

/// A folder's entry as it changes; none where it goes.
type Naming = (PathBuf, Option<Entry>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Folder,
    File(usize),
}

/// The disk at some moment.
#[derive(Clone, Default)]
pub struct Disk {
    files: Vec<File>,
    /// What the processes see.
    names: BTreeMap<PathBuf, Entry>,
    durable_names: BTreeMap<PathBuf, Entry>,
    /// Changes of names that aren't for sure, in their order.
    pending_names: Vec<(usize, Vec<Naming>)>,
    /// Where syncs that run began.
    syncs: BTreeMap<(PathBuf, u64), usize>,
    number: usize,
    deaf_to: Option<&'static str>,
}

impl Disk {
    /// An empty one. Syncs of files whose names end so it only pretends: who holds that against what was told must see losses.
    pub fn new(deaf_to: Option<&'static str>) -> Self {
        Self {
            deaf_to,
            ..Self::default()
        }
    }

    /// Goes on to the next record.
    pub fn apply(&mut self, record: &Record) {
        self.number += 1;
        match record {
            Record::Create(path) => {
                let entry = Entry::File(self.files.len());
                self.files.push(File::default());
                self.name(vec![(path.clone(), Some(entry))]);
            }
            Record::Mkdir(path) => self.name(vec![(path.clone(), Some(Entry::Folder))]),
            Record::Unlink(path) => self.name(vec![(path.clone(), None)]),
            Record::Rename(from, to) => {
                let entry = self.names[from];
                self.name(vec![(from.clone(), None), (to.clone(), Some(entry))]);
            }
            Record::Link(from, to) => {
                let entry = self.names[from];
                self.name(vec![(to.clone(), Some(entry))]);
            }
            Record::Write(path, at, data) => self.change(path, Change::Write(*at, data.clone())),
            Record::Truncate(path, length) => self.change(path, Change::Truncate(*length)),
            Record::SyncBegin(path, own) => {
                self.syncs.insert((path.clone(), *own), self.number);
            }
            Record::SyncEnd(path, own) => {
                if let Some(begun) = self.syncs.remove(&(path.clone(), *own)) {
                    self.synced(path, begun);
                }
            }
            Record::Mark(_) => {}
        }
    }

    fn name(&mut self, changes: Vec<Naming>) {
        rename_in(&mut self.names, &changes);
        self.pending_names.push((self.number, changes));
    }

    fn change(&mut self, path: &Path, change: Change) {
        if let Some(Entry::File(file)) = self.names.get(path) {
            self.files[*file].pending.push((self.number, change));
        }
    }

    fn synced(&mut self, path: &Path, begun: usize) {
        if self
            .deaf_to
            .is_some_and(|end| path.to_string_lossy().ends_with(end))
        {
            return;
        }
        if let Some(Entry::File(file)) = self.names.get(path) {
            let file = &mut self.files[*file];
            let (sure, rest) = std::mem::take(&mut file.pending)
                .into_iter()
                .partition(|(number, _)| *number < begun);
            file.pending = rest;
            let sure: Vec<(usize, Change)> = sure;
            for (_, change) in sure {
                keep(&mut file.durable, &change, |_| true);
            }
            return;
        }
        let of_folder = |(number, changes): &(usize, Vec<Naming>)| {
            *number < begun && changes.iter().any(|(name, _)| name.parent() == Some(path))
        };
        let (sure, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending_names)
            .into_iter()
            .partition(of_folder);
        self.pending_names = rest;
        for (_, changes) in sure {
            rename_in(&mut self.durable_names, &changes);
        }
    }

    /// Cuts the power now: writes one of the states that may be found below `root` to `into`.
    pub fn cut(&self, root: &Path, into: &Path, random: &mut Random) {
        let mut names = self.durable_names.clone();
        // A folder's changes come to the disk in their order.
        let reached = random.below(self.pending_names.len() as u64 + 1);
        for (_, changes) in self
            .pending_names
            .iter()
            .take(usize::try_from(reached).expect("few"))
        {
            rename_in(&mut names, changes);
        }
        for (name, entry) in names {
            let target = into.join(name.strip_prefix(root).expect("below the root"));
            match entry {
                Entry::Folder => {
                    let mut folder = fs::DirBuilder::new();
                    folder
                        .recursive(true)
                        .mode(0o700)
                        .create(&target)
                        .expect("a folder");
                }
                Entry::File(file) => {
                    let there = target.parent().is_some_and(Path::is_dir);
                    if there {
                        let mut options = fs::File::options();
                        let made = options
                            .write(true)
                            .create_new(true)
                            .mode(0o600)
                            .open(&target);
                        let contents = self.contents(file, random);
                        made.and_then(|mut made| made.write_all(&contents))
                            .expect("a file");
                    }
                }
            }
        }
    }

    fn contents(&self, file: usize, random: &mut Random) -> Vec<u8> {
        let File { durable, pending } = &self.files[file];
        let mut contents = durable.clone();
        // Now everything is lost, now everything is there; mostly something between.
        let mood = random.below(6);
        for (_, change) in pending {
            match if mood < 2 { mood } else { random.below(3) } {
                0 => {}
                1 => keep(&mut contents, change, |_| true),
                _ => {
                    let mut torn = random.fork();
                    keep(&mut contents, change, |_| torn.once_in(2));
                }
            }
        }
        contents
    }
}

fn rename_in(names: &mut BTreeMap<PathBuf, Entry>, changes: &[Naming]) {
    for (name, entry) in changes {
        match entry {
            Some(entry) => names.insert(name.clone(), *entry),
            None => names.remove(name),
        };
    }
}

/// Has those sectors of a change reach the contents that `reaches` says; a truncation is of one piece.
fn keep(contents: &mut Vec<u8>, change: &Change, mut reaches: impl FnMut(usize) -> bool) {
    match change {
        Change::Truncate(length) => {
            if reaches(0) {
                contents.resize(*length, 0);
            }
        }
        Change::Write(at, data) => {
            let mut done = 0;
            while done < data.len() {
                let start = at + done;
                let step = (SECTOR - start % SECTOR).min(data.len() - done);
                if reaches(start / SECTOR) {
                    if contents.len() < start + step {
                        contents.resize(start + step, 0);
                    }
                    contents[start..start + step].copy_from_slice(&data[done..done + step]);
                }
                done += step;
            }
        }
    }
}
