//! The database as stores see it: durable, grouped, isolated, and finished for good after a failure.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use rusqlite::Connection;
use tempfile::TempDir;
use treenail_storage::sqlite::{Database, Error, Migration, OnFatal, WRITE_BATCH_MAX, WriteError};

const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_create_words",
        sql: "CREATE TABLE words (word TEXT PRIMARY KEY) STRICT",
    },
    Migration {
        name: "0002_add_counts",
        sql: "ALTER TABLE words ADD COLUMN count INTEGER NOT NULL DEFAULT 0",
    },
];

/// A database in a folder of its own, and the failures that it reported.
struct Fixture {
    database: Database,
    path: PathBuf,
    failures: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

impl Fixture {
    fn open() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store/words.db");
        let failures = Arc::new(Mutex::new(Vec::new()));
        let reported = Arc::clone(&failures);
        let on_fatal: OnFatal = Arc::new(move |failure| reported.lock().unwrap().push(failure.to_owned()));
        let database = Database::open(&path, MIGRATIONS, on_fatal).unwrap();
        Fixture {
            database,
            path,
            failures,
            _folder: folder,
        }
    }

    async fn add(&self, word: &'static str) -> Result<(), WriteError<rusqlite::Error>> {
        self.database.write(move |connection| insert(connection, word)).await
    }

    async fn words(&self) -> Vec<String> {
        self.database.read(words).await.unwrap()
    }

    fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap().clone()
    }

    /// Makes the writer wait until the sender is used or dropped, so that jobs gather behind it.
    async fn hold_writer(&self) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel();
        let (holds, waits) = tokio::sync::oneshot::channel();
        let database = self.database.clone();
        tokio::spawn(async move {
            let job = move |_: &Connection| {
                holds.send(()).unwrap();
                let _released_or_dropped = held.recv();
                Ok::<_, rusqlite::Error>(())
            };
            database.write(job).await
        });
        waits.await.unwrap();
        release
    }
}

fn insert(connection: &Connection, word: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO words (word) VALUES (?1)")?
        .execute([word])?;
    Ok(())
}

fn words(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT word FROM words ORDER BY word")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn ignore_fatal() -> OnFatal {
    Arc::new(|_| {})
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("refused")]
struct Refused;

#[derive(Debug, thiserror::Error)]
#[error("the store failed")]
struct StoreFailed(#[source] rusqlite::Error);

#[tokio::test]
async fn what_was_answered_is_in_the_files_at_that_moment() {
    let fixture = Fixture::open();
    fixture.add("nail").await.unwrap();
    // What a killed process leaves: the files as they are, with no chance to close them.
    let crashed = fixture.path.with_file_name("crashed");
    fs::create_dir(&crashed).unwrap();
    for suffix in ["", "-wal"] {
        let file = format!("words.db{suffix}");
        fs::copy(fixture.path.with_file_name(&file), crashed.join(&file)).unwrap();
    }
    let recovered = Database::open(&crashed.join("words.db"), MIGRATIONS, ignore_fatal()).unwrap();
    assert_eq!(recovered.read(words).await.unwrap(), ["nail"]);
}

#[tokio::test]
async fn a_read_sees_every_write_that_was_answered_before_it() {
    let fixture = Fixture::open();
    for word in ["a", "b", "c", "d", "e"] {
        fixture.add(word).await.unwrap();
        assert_eq!(fixture.words().await.last().map(String::as_str), Some(word));
    }
}

#[tokio::test]
async fn jobs_that_gather_share_one_commit() {
    let fixture = Fixture::open();
    let commits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&commits);
    let count_commits = move |connection: &Connection| {
        let counted = Arc::clone(&counted);
        connection.commit_hook(Some(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            false
        }))
    };
    fixture.database.write(count_commits).await.unwrap();

    let release = fixture.hold_writer().await;
    let before = commits.load(Ordering::SeqCst);
    let jobs = WRITE_BATCH_MAX + 10;
    let mut waiting = tokio::task::JoinSet::new();
    let queued = Arc::new(AtomicUsize::new(0));
    for number in 0..jobs {
        let (database, queued) = (fixture.database.clone(), Arc::clone(&queued));
        waiting.spawn(async move {
            // What follows queues the job in this same turn of the task.
            queued.fetch_add(1, Ordering::SeqCst);
            database
                .write(move |connection| insert(connection, &number.to_string()))
                .await
        });
    }
    while queued.load(Ordering::SeqCst) < jobs {
        tokio::task::yield_now().await;
    }
    drop(release);
    while let Some(answer) = waiting.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(fixture.words().await.len(), jobs);
    let grouped = commits.load(Ordering::SeqCst) - before;
    assert!(grouped <= 3, "{jobs} jobs took {grouped} commits");
}

#[tokio::test]
async fn the_error_of_a_job_undoes_that_job_only() {
    let fixture = Fixture::open();
    let release = fixture.hold_writer().await;
    let refused = fixture.database.write(|connection| {
        insert(connection, "refused").unwrap();
        insert(connection, "too").unwrap();
        Err::<(), _>(Refused)
    });
    let (first, refused, last, ()) = tokio::join!(fixture.add("first"), refused, fixture.add("last"), async {
        drop(release);
    });
    assert_eq!(first, Ok(()));
    assert_eq!(refused, Err(WriteError::Job(Refused)));
    assert_eq!(last, Ok(()));
    assert_eq!(fixture.words().await, ["first", "last"]);
    assert_eq!(fixture.failures(), [""; 0]);
}

#[tokio::test]
async fn the_violation_of_a_constraint_is_the_jobs_own_error() {
    let fixture = Fixture::open();
    fixture.add("nail").await.unwrap();
    let again = fixture.add("nail").await.unwrap_err();
    assert!(
        matches!(again, WriteError::Job(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation))
    );
    fixture.add("hammer").await.unwrap();
    assert_eq!(fixture.failures(), [""; 0]);
}

/// Does something fatal while other jobs wait, and expects that all are told so, and that it stays so.
async fn check_fatal<E: std::error::Error + Send + 'static>(
    expected: &str,
    job: impl FnOnce(&Connection) -> Result<(), E> + Send + 'static,
) {
    let fixture = Fixture::open();
    fixture.add("durable").await.unwrap();
    let release = fixture.hold_writer().await;
    let (before, failed, after, ()) = tokio::join!(
        fixture.add("before"),
        fixture.database.write(job),
        fixture.add("after"),
        async {
            drop(release);
        }
    );
    let Err(WriteError::Fatal(failure)) = failed else {
        panic!("{expected}: the job was answered {failed:?}")
    };
    assert!(failure.contains(expected), "{failure}");
    assert!(failure.contains("words.db"), "{failure}");
    for answer in [before, after, fixture.add("much later").await] {
        assert_eq!(answer, Err(WriteError::Fatal(Arc::clone(&failure))));
    }
    assert_eq!(fixture.failures(), [failure.to_string()]);
    assert_eq!(fixture.words().await, ["durable"], "{expected}: reads go on");
}

#[tokio::test]
async fn a_full_disk_ends_all_writing() {
    check_fatal("full", |connection| {
        connection.pragma_update_and_check(None, "max_page_count", 1, |_| Ok(()))?;
        insert(connection, &"x".repeat(1_000_000))
    })
    .await;
}

#[tokio::test]
async fn a_failure_of_sqlite_within_the_jobs_own_error_ends_all_writing() {
    check_fatal("no such table", |connection| {
        connection
            .execute("INSERT INTO nowhere VALUES (1)", [])
            .map_err(StoreFailed)
            .map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn a_panic_ends_all_writing() {
    check_fatal("the nail broke", |_| -> Result<(), Refused> {
        panic!("the nail broke")
    })
    .await;
}

#[tokio::test]
async fn a_job_that_ends_the_transaction_ends_all_writing() {
    check_fatal("the transaction ended", |connection| {
        connection.execute_batch("ROLLBACK")
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_fails_ends_all_writing() {
    check_fatal("COMMIT failed", |connection| {
        connection.execute_batch(
            "CREATE TABLE parents (id INTEGER PRIMARY KEY);
             CREATE TABLE children (parent INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
             INSERT INTO children VALUES (1);",
        )
    })
    .await;
}

#[tokio::test]
async fn a_query_sees_one_state_however_many_statements_it_has() {
    let fixture = Fixture::open();
    fixture.add("first").await.unwrap();
    let (started, has_started) = tokio::sync::oneshot::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let twice = fixture.database.read(move |connection| {
        let before = words(connection)?;
        started.send(()).unwrap();
        goes_on.recv().unwrap();
        Ok((before, words(connection)?))
    });
    let (twice, ()) = tokio::join!(twice, async {
        has_started.await.unwrap();
        fixture.add("second").await.unwrap();
        go_on.send(()).unwrap();
    });
    let (before, after) = twice.unwrap();
    assert_eq!(before, after);
    assert_eq!(fixture.words().await, ["first", "second"]);
}

#[tokio::test]
async fn a_query_cannot_write() {
    let fixture = Fixture::open();
    let refusal = fixture
        .database
        .read(|connection| insert(connection, "smuggled"))
        .await
        .unwrap_err();
    assert!(matches!(&refusal, Error::Query(_)), "{refusal:?}");
    assert_eq!(fixture.words().await, [""; 0]);
}

#[tokio::test]
async fn a_query_that_panics_harms_nobody_else() {
    let fixture = Fixture::open();
    for _ in 0..10 {
        let failure = fixture
            .database
            .read(|_| -> rusqlite::Result<()> { panic!("mad query") })
            .await
            .unwrap_err();
        assert!(
            matches!(&failure, Error::QueryPanicked(text) if text == "mad query"),
            "{failure:?}"
        );
    }
    assert_eq!(fixture.words().await, [""; 0]);
}

#[tokio::test]
async fn a_job_whose_caller_has_gone_is_done_all_the_same() {
    let fixture = Fixture::open();
    let release = fixture.hold_writer().await;
    {
        let mut gone = Box::pin(fixture.add("nail"));
        // One poll queues the job; then the caller goes.
        assert!(poll_once(gone.as_mut()).await.is_none());
    }
    drop(release);
    fixture.add("hammer").await.unwrap();
    assert_eq!(fixture.words().await, ["hammer", "nail"]);
}

/// Polls a future once.
async fn poll_once<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn dropping_the_last_handle_folds_the_log_into_the_file() {
    let Fixture {
        database,
        path,
        _folder,
        ..
    } = Fixture::open();
    database
        .clone()
        .write(|connection| insert(connection, "nail"))
        .await
        .unwrap();
    assert!(path.with_file_name("words.db-wal").exists());
    drop(database);
    assert!(!path.with_file_name("words.db-wal").exists());
    let file = Connection::open(&path).unwrap();
    assert_eq!(words(&file).unwrap(), ["nail"]);
}

#[tokio::test]
async fn the_log_stays_bounded_under_a_long_load() {
    let fixture = Fixture::open();
    let wal = fixture.path.with_file_name("words.db-wal");
    let mut longest = 0;
    for round in 0..60 {
        let job = move |connection: &Connection| insert(connection, &format!("{round}{}", "x".repeat(1_000_000)));
        fixture.database.write(job).await.unwrap();
        longest = longest.max(fs::metadata(&wal).unwrap().len());
    }
    assert!(
        longest < 8 * 1024 * 1024,
        "60 MB were written and the log grew to {longest} bytes"
    );
}

#[tokio::test]
async fn a_job_may_hold_the_last_handle() {
    let Fixture {
        database,
        path,
        _folder,
        ..
    } = Fixture::open();
    let (release, held) = mpsc::channel::<()>();
    let last = database.clone();
    let mut write = Box::pin(async move {
        let own = database.clone();
        database
            .write(move |connection| {
                held.recv().unwrap();
                drop(own);
                insert(connection, "nail")
            })
            .await
    });
    assert!(poll_once(write.as_mut()).await.is_none());
    drop(last);
    drop(write);
    release.send(()).unwrap();
    // The writer ends by itself and nobody can wait for that, but what it was given becomes durable.
    let reopened = Database::open(&path, MIGRATIONS, ignore_fatal()).unwrap();
    while reopened.read(words).await.unwrap() != ["nail"] {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn files_and_folders_are_for_their_owner_only() {
    let fixture = Fixture::open();
    fixture.add("nail").await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(fixture.path.parent().unwrap()), 0o700);
    for file in ["words.db", "words.db-wal", "words.db-shm"] {
        assert_eq!(mode(&fixture.path.with_file_name(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_database_of_an_older_version_is_migrated_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.db");
    let old = Database::open(&path, &MIGRATIONS[..1], ignore_fatal()).unwrap();
    old.write(|connection| insert(connection, "nail")).await.unwrap();
    drop(old);
    for _ in 0..2 {
        let new = Database::open(&path, MIGRATIONS, ignore_fatal()).unwrap();
        let counts = new.read(|connection| {
            connection.query_row("SELECT word, count FROM words", [], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
            })
        });
        assert_eq!(counts.await.unwrap(), ("nail".to_owned(), 0));
    }
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.db");
    drop(Database::open(&path, MIGRATIONS, ignore_fatal()).unwrap());
    let refusal = Database::open(&path, &MIGRATIONS[..1], ignore_fatal()).unwrap_err();
    assert!(
        matches!(refusal, Error::NewerSchema { found: 2, known: 1, .. }),
        "{refusal:?}"
    );
    assert!(refusal.to_string().contains("words.db"), "{refusal}");
    drop(Database::open(&path, MIGRATIONS, ignore_fatal()).unwrap());
}

#[test]
fn a_migration_that_fails_leaves_the_version_before_it() {
    const BROKEN: &[Migration] = &[
        MIGRATIONS[0],
        Migration {
            name: "0002_break",
            sql: "CREATE TABLE half (done); CREATE TABLE words (again)",
        },
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.db");
    let failure = Database::open(&path, BROKEN, ignore_fatal()).unwrap_err();
    assert!(
        matches!(&failure, Error::Migration { name: "0002_break", .. }),
        "{failure:?}"
    );
    let file = Connection::open(&path).unwrap();
    let version: i64 = file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
    assert!(!file.table_exists(None, "half").unwrap());
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.db");
    fs::write(&path, "These are not the pages you are looking for. ".repeat(100)).unwrap();
    let refusal = Database::open(&path, MIGRATIONS, ignore_fatal()).unwrap_err();
    assert!(matches!(&refusal, Error::Open { .. }), "{refusal:?}");
    assert!(fs::read_to_string(&path).unwrap().starts_with("These are not"));
}
