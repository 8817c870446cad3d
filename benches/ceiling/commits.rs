//! The same rows as a redemption, a rotation, the use of a proof, a pushed request and its code commit, in the same groups: SQLite by one thread that commits once for all that wait,
//! PostgreSQL by a few connections. No reads, no guards.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use diesel::backend::Backend;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use crate::Result;

/// As many codes and refresh tokens are there to be spent.
const PREPARED: usize = 150_000;
/// As many connections has Tessera's own pool.
const CONNECTIONS: usize = 8;
/// As many writes share Tessera's commits at most.
const GROUP_MAX: usize = 256;

diesel::table! {
    grants (tenant_id, id) {
        tenant_id -> Binary,
        id -> Binary,
        content -> Text,
        redeemed_at -> Nullable<Text>,
    }
}

diesel::table! {
    records (tenant_id, id) {
        tenant_id -> Binary,
        id -> Binary,
        content -> Text,
    }
}

diesel::table! {
    refresh_tokens (tenant_id, id) {
        tenant_id -> Binary,
        id -> Binary,
        grant_id -> Binary,
        proof_hash -> Binary,
        created_at -> Text,
        expires_at -> Text,
        rotated_at -> Nullable<Text>,
        successor_id -> Nullable<Binary>,
    }
}

diesel::table! {
    dpop_proofs (tenant_id, proof_hash) {
        tenant_id -> Binary,
        proof_hash -> Binary,
        expires_at -> Text,
    }
}

diesel::table! {
    counters (tenant_id, counter) {
        tenant_id -> Binary,
        counter -> Binary,
        count -> Integer,
    }
}

const AT: &str = "2026-01-01T00:00:00.000000Z";
const TENANT: [u8; 16] = [9; 16];

/// What is written for a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A grant is spent, and a refresh token made.
    Redemption,
    /// A refresh token is spent, and the next one made.
    Rotation,
    /// A proof is used.
    Proof,
    /// One row is added: as large as an audit event.
    Record,
    /// A request is pushed: its row is added, and its client's counter goes up.
    Push,
    /// A code for it: that row is spent, a grant and an audit event are added.
    Code,
}

struct Write {
    kind: Kind,
    number: usize,
    answer: oneshot::Sender<bool>,
}

/// The way to the thread or threads that write.
pub struct Commits(Sender<Write>);

/// A time-ordered id.
fn id(number: usize) -> Vec<u8> {
    let mut id = [3; 16];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    id.to_vec()
}

/// Has an UPDATE stay prepared, as the server does.
struct Kept<S>(S);

impl<S> QueryId for Kept<S> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Kept<S> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> diesel::QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _: &DB) -> diesel::QueryResult<bool> {
        Ok(true)
    }
}

impl<S, C> RunQueryDsl<C> for Kept<S> {}

macro_rules! insert_proof {
    ($connection:expr, $hash:expr) => {
        diesel::insert_into(dpop_proofs::table)
            .values((
                dpop_proofs::tenant_id.eq(TENANT.to_vec()),
                dpop_proofs::proof_hash.eq($hash),
                dpop_proofs::expires_at.eq(AT),
            ))
            .execute($connection)?
            == 1
    };
}

macro_rules! spend {
    ($connection:expr, $write:expr) => {{
        let (connection, write): (&mut _, &Write) = ($connection, $write);
        let (old, new) = (id(write.number), id(PREPARED + write.number));
        if write.kind == Kind::Proof {
            // As random as a hash is: where it comes to lie is what it costs.
            let hash = <sha2::Sha256 as sha2::Digest>::digest(write.number.to_be_bytes());
            insert_proof!(connection, hash.to_vec())
        } else if write.kind == Kind::Record {
            let added = diesel::insert_into(records::table)
                .values((
                    records::tenant_id.eq(TENANT.to_vec()),
                    records::id.eq(new.clone()),
                    records::content.eq("e".repeat(650)),
                ))
                .execute(connection)?;
            added == 1
        } else if write.kind == Kind::Push {
            let counted = diesel::update(counters::table.find((&TENANT[..], &TENANT[..])))
                .set(counters::count.eq(counters::count + 1));
            let counted = Kept(counted).execute(connection)?;
            let added = diesel::insert_into(records::table)
                .values((
                    records::tenant_id.eq(TENANT.to_vec()),
                    records::id.eq(new.clone()),
                    records::content.eq("p".repeat(450)),
                ))
                .execute(connection)?;
            counted + added == 2
        } else if write.kind == Kind::Code {
            // Whichever of them, as often as need be: what it costs is the same.
            let old = id(write.number % PREPARED);
            let spent = diesel::update(grants::table.find((&TENANT[..], &old)))
                .set(grants::redeemed_at.eq(AT));
            let spent = Kept(spent).execute(connection)?;
            let granted = diesel::insert_into(grants::table)
                .values((
                    grants::tenant_id.eq(TENANT.to_vec()),
                    grants::id.eq(new.clone()),
                    grants::content.eq("c".repeat(450)),
                ))
                .execute(connection)?;
            let told = diesel::insert_into(records::table)
                .values((
                    records::tenant_id.eq(TENANT.to_vec()),
                    records::id.eq(new.clone()),
                    records::content.eq("e".repeat(650)),
                ))
                .execute(connection)?;
            spent + granted + told == 3
        } else {
            let changed = if write.kind == Kind::Rotation {
                let rotated = diesel::update(refresh_tokens::table.find((&TENANT[..], &old)))
                    .filter(refresh_tokens::rotated_at.is_null())
                    .set((
                        refresh_tokens::rotated_at.eq(AT),
                        refresh_tokens::successor_id.eq(&new),
                    ));
                Kept(rotated).execute(connection)?
            } else {
                let spent = diesel::update(grants::table.find((&TENANT[..], &old)))
                    .filter(grants::redeemed_at.is_null())
                    .set(grants::redeemed_at.eq(AT));
                Kept(spent).execute(connection)?
            };
            diesel::insert_into(refresh_tokens::table)
                .values(token(new, &old))
                .execute(connection)?;
            changed == 1
        }
    }};
}

type Token<'a> = (
    diesel::dsl::Eq<refresh_tokens::tenant_id, Vec<u8>>,
    diesel::dsl::Eq<refresh_tokens::id, Vec<u8>>,
    diesel::dsl::Eq<refresh_tokens::grant_id, Vec<u8>>,
    diesel::dsl::Eq<refresh_tokens::proof_hash, Vec<u8>>,
    diesel::dsl::Eq<refresh_tokens::created_at, &'a str>,
    diesel::dsl::Eq<refresh_tokens::expires_at, &'a str>,
);

fn token(id: Vec<u8>, grant: &[u8]) -> Token<'static> {
    (
        refresh_tokens::tenant_id.eq(TENANT.to_vec()),
        refresh_tokens::id.eq(id),
        refresh_tokens::grant_id.eq(grant.to_vec()),
        refresh_tokens::proof_hash.eq(vec![5; 32]),
        refresh_tokens::created_at.eq(AT),
        refresh_tokens::expires_at.eq(AT),
    )
}

fn schema(bytes: &str, suffix: &str) -> String {
    format!(
        "CREATE TABLE grants (tenant_id {bytes} NOT NULL, id {bytes} NOT NULL, content TEXT NOT NULL, redeemed_at TEXT, PRIMARY KEY (tenant_id, id)){suffix};
         CREATE TABLE counters (tenant_id {bytes} NOT NULL, counter {bytes} NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (tenant_id, counter)){suffix};
         CREATE TABLE records (tenant_id {bytes} NOT NULL, id {bytes} NOT NULL, content TEXT NOT NULL, PRIMARY KEY (tenant_id, id)){suffix};
         CREATE TABLE refresh_tokens (tenant_id {bytes} NOT NULL, id {bytes} NOT NULL, grant_id {bytes} NOT NULL, proof_hash {bytes} NOT NULL,
           created_at TEXT NOT NULL, expires_at TEXT NOT NULL, rotated_at TEXT, successor_id {bytes}, PRIMARY KEY (tenant_id, id)){suffix};
         CREATE INDEX refresh_tokens_grant_id ON refresh_tokens (tenant_id, grant_id);
         CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);
         CREATE TABLE dpop_proofs (tenant_id {bytes} NOT NULL, proof_hash {bytes} NOT NULL, expires_at TEXT NOT NULL, PRIMARY KEY (tenant_id, proof_hash)){suffix};
         CREATE INDEX dpop_proofs_expires_at ON dpop_proofs (expires_at);"
    )
}

macro_rules! prepare {
    ($connection:expr) => {{
        let connection: &mut _ = $connection;
        diesel::insert_into(counters::table)
            .values((
                counters::tenant_id.eq(TENANT.to_vec()),
                counters::counter.eq(TENANT.to_vec()),
                counters::count.eq(0),
            ))
            .execute(connection)?;
        let numbers: Vec<usize> = (0..PREPARED).collect();
        for some in numbers.chunks(1000) {
            let codes: Vec<_> = some
                .iter()
                .map(|number| {
                    (
                        grants::tenant_id.eq(TENANT.to_vec()),
                        grants::id.eq(id(*number)),
                        grants::content.eq("c".repeat(450)),
                    )
                })
                .collect();
            diesel::insert_into(grants::table)
                .values(codes)
                .execute(connection)?;
            let tokens: Vec<_> = some
                .iter()
                .map(|number| token(id(*number), &id(*number)))
                .collect();
            diesel::insert_into(refresh_tokens::table)
                .values(tokens)
                .execute(connection)?;
        }
    }};
}

impl Commits {
    /// Makes the tables and starts what writes.
    pub fn open(database: &str) -> Result<Self> {
        let (sender, receiver) = channel();
        if database.starts_with("postgres") {
            let mut connection = PgConnection::establish(database)?;
            connection.batch_execute(
                "DROP TABLE IF EXISTS grants, records, refresh_tokens, dpop_proofs, counters",
            )?;
            connection.batch_execute(&schema("bytea", ""))?;
            connection.transaction(|connection| {
                prepare!(connection);
                diesel::QueryResult::Ok(())
            })?;
            connection.batch_execute("ANALYZE")?;
            let receiver = std::sync::Arc::new(Mutex::new(receiver));
            for _ in 0..CONNECTIONS {
                let (receiver, mut connection) =
                    (receiver.clone(), PgConnection::establish(database)?);
                std::thread::spawn(move || {
                    loop {
                        let Ok(Ok(write)) = receiver.lock().map(|queue| queue.recv()) else {
                            return;
                        };
                        let done = connection.transaction(|connection| {
                            diesel::QueryResult::Ok(spend!(connection, &write))
                        });
                        let _ = write.answer.send(done.unwrap_or_default());
                    }
                });
            }
        } else {
            let mut connection = SqliteConnection::establish(database)?;
            connection.batch_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -8000")?;
            connection.batch_execute(&schema("BLOB", " WITHOUT ROWID"))?;
            connection.transaction(|connection| {
                prepare!(connection);
                diesel::QueryResult::Ok(())
            })?;
            std::thread::spawn(move || {
                while let Some(group) = group(&receiver) {
                    let done = connection.immediate_transaction(|connection| {
                        let mut done = Vec::with_capacity(group.len());
                        for write in &group {
                            done.push(spend!(connection, write));
                        }
                        diesel::QueryResult::Ok(done)
                    });
                    let done = done.unwrap_or_default();
                    for (write, done) in group.into_iter().zip(done) {
                        let _ = write.answer.send(done);
                    }
                }
            });
        }
        Ok(Self(sender))
    }

    /// Spends the code or refresh token of a number, and says whether that is on disk.
    pub async fn commit(&self, name: &str, number: usize) -> bool {
        let (answer, done) = oneshot::channel();
        let write = Write {
            kind: match name {
                "rotation" => Kind::Rotation,
                "proof" => Kind::Proof,
                "record" => Kind::Record,
                "push" => Kind::Push,
                "code" => Kind::Code,
                _ => Kind::Redemption,
            },
            number,
            answer,
        };
        self.0.send(write).is_ok() && done.await.unwrap_or_default()
    }
}

/// Reads by key, as cheaply as can be: on the thread that answers, by a statement that stays prepared.
pub struct Reads(Mutex<SqliteConnection>);

impl Reads {
    /// Of the file that [`Commits`] filled.
    pub fn open(file: &str) -> Result<Self> {
        Ok(Self(Mutex::new(SqliteConnection::establish(file)?)))
    }

    /// The length of what is there.
    pub fn read(&self, number: usize) -> usize {
        let Ok(mut connection) = self.0.lock() else {
            return 0;
        };
        grants::table
            .find((&TENANT[..], id(number % PREPARED)))
            .select(grants::content)
            .first::<String>(&mut *connection)
            .map_or(0, |content| content.len())
    }
}

fn group(receiver: &Receiver<Write>) -> Option<Vec<Write>> {
    let mut group = vec![receiver.recv().ok()?];
    while group.len() < GROUP_MAX {
        match receiver.try_recv() {
            Ok(write) => group.push(write),
            Err(_) => break,
        }
    }
    Some(group)
}
