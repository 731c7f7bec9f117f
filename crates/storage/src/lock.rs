//! The lock of the data directory: one process at a time.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process,
};

const LOCK_FILE: &str = "lock";
/// More of the lock file than this is never read: a process id has fewer digits.
const PID_LENGTH_MAX: u64 = 20;

/// A data directory that belongs to this process until the value is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Takes the directory for this process, and makes it (mode 0700) where there is none.
    ///
    /// # Errors
    /// [`Error::InUse`] when another process has it, [`Error::Io`] when it cannot be made or written.
    pub fn lock(path: &Path) -> Result<DataDir, Error> {
        let failed = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK_FILE))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse {
                    path: path.to_owned(),
                    holder: read_holder(&lock),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        write_holder(&mut lock).map_err(failed)?;
        Ok(DataDir {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Why a data directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error("the data directory {} is in use by process {holder}; stop that one or choose another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process id in the lock file, or `unknown`.
        holder: String,
    },
    /// It cannot be made, or the lock file in it cannot be written.
    #[error("cannot use the data directory {}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

fn write_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", process::id())
}

/// The process id in the lock file. The lock decides; the id only helps a person, so it need not be readable.
fn read_holder(lock: &File) -> String {
    let mut text = String::new();
    let is_read = lock.take(PID_LENGTH_MAX).read_to_string(&mut text).is_ok();
    let digits = text.trim();
    if is_read && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.to_owned()
    } else {
        "unknown".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, process};

    use super::{DataDir, Error};

    #[test]
    fn a_second_holder_is_refused_and_told_the_first_ones_pid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/data");
        let held = DataDir::lock(&path).unwrap();
        assert_eq!(held.path(), path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let refusal = DataDir::lock(&path).unwrap_err();
        assert!(
            matches!(&refusal, Error::InUse { holder, .. } if *holder == process::id().to_string()),
            "{refusal}"
        );
    }

    #[test]
    fn a_directory_is_free_again_when_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        drop(DataDir::lock(folder.path()).unwrap());
        fs::write(folder.path().join("lock"), "left behind by a process that was killed").unwrap();
        let held = DataDir::lock(folder.path()).unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("lock")).unwrap(),
            format!("{}\n", process::id())
        );
        drop(held);
    }
}
