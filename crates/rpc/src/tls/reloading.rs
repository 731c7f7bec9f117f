//! What is made from files, made again when they change.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::spawn_blocking;

use super::Error;

type Build<T> = Box<dyn Fn() -> Result<T, Error> + Send + Sync>;

/// What tells one state of a file from another: where it lies, how long it is, when it was written.
type Stamp = (u64, u64, i64, i64);

/// A value made from files. It is made anew when one of them has changed; as long as they do not fit together, as when only
/// one of two has been replaced yet, the last good value stays.
pub(super) struct Reloading<T> {
    files: Vec<PathBuf>,
    build: Build<T>,
    state: Mutex<State<T>>,
}

struct State<T> {
    stamps: Vec<Option<Stamp>>,
    value: Arc<T>,
    /// Whether the files as they are now were complained of.
    is_refused: bool,
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Makes the value for the first time.
    pub(super) fn open(
        files: Vec<PathBuf>,
        build: impl Fn() -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        // Looked at before they are read, so that a change meanwhile is seen later.
        let stamps = stamps(&files);
        let value = Arc::new(build()?);
        Ok(Self {
            files,
            build: Box::new(build),
            state: Mutex::new(State {
                stamps,
                value,
                is_refused: false,
            }),
        })
    }

    /// The value as the files have it now.
    pub(super) async fn current(self: &Arc<Self>) -> Arc<T> {
        let this = Arc::clone(self);
        match spawn_blocking(move || this.look()).await {
            Ok(value) => value,
            // The runtime ends: whatever is done with the value does, too.
            Err(_) => Arc::clone(&self.lock().value),
        }
    }

    fn look(&self) -> Arc<T> {
        let now = stamps(&self.files);
        let mut state = self.lock();
        if state.stamps != now || state.is_refused {
            match (self.build)() {
                Ok(value) => {
                    tracing::info!(files = ?self.files, "certificates were read again");
                    state.value = Arc::new(value);
                    state.is_refused = false;
                }
                Err(error) => {
                    if state.stamps != now {
                        tracing::warn!(%error, "changed certificates cannot be used; the former stay");
                    }
                    state.is_refused = true;
                }
            }
            state.stamps = now;
        }
        Arc::clone(&state.value)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<T>> {
        // Whoever panicked inside left a state that is still one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |file: &PathBuf| -> io::Result<Stamp> {
        let told = fs::metadata(file)?;
        Ok((told.ino(), told.len(), told.mtime(), told.mtime_nsec()))
    };
    files.iter().map(|file| stamp(file).ok()).collect()
}
