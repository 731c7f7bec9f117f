//! The folder of one attempt: its script, its files and its working directory, gone when the attempt has ended.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::fs::{self, DirBuilder};

/// The folder of all attempts in the worker's folder.
pub(crate) const ATTEMPTS: &str = "attempts";

const OWNER_ONLY: u32 = 0o700;

/// An attempt's own folder, open to nobody else.
#[derive(Debug)]
pub(super) struct AttemptFolder {
    root: PathBuf,
}

impl AttemptFolder {
    /// Makes the folder of a task's attempt, anew if there is one.
    ///
    /// # Errors
    /// In words when it cannot be made.
    pub(super) async fn create(work_dir: &Path, task_id: &str, token: u64) -> Result<AttemptFolder, String> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if task_id.is_empty() || !task_id.bytes().all(is_name) {
            return Err("The task's id is none.".to_owned());
        }
        let root = work_dir.join(ATTEMPTS).join(format!("{task_id}-{token}"));
        let folder = AttemptFolder { root };
        match folder.make().await {
            Ok(()) => Ok(folder),
            Err(error) => Err(format!("The attempt's folder cannot be made: {error}")),
        }
    }

    async fn make(&self) -> io::Result<()> {
        remove_if_there(&self.root).await?;
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(OWNER_ONLY);
        for folder in [self.work(), self.script(), self.libraries(), self.temporary()] {
            builder.create(folder).await?;
        }
        Ok(())
    }

    /// The working directory, and home.
    pub(super) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Where the script is.
    pub(super) fn script(&self) -> PathBuf {
        self.root.join("script")
    }

    /// Where the user's Python files are.
    pub(super) fn libraries(&self) -> PathBuf {
        self.root.join("libraries")
    }

    /// Where temporary files are made.
    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Removes the folder. What cannot be removed is removed when the worker starts again.
    pub(super) async fn remove(self) {
        if let Err(error) = remove_if_there(&self.root).await {
            tracing::warn!(%error, folder = %self.root.display(), "an attempt's folder is left behind");
        }
    }
}

async fn remove_if_there(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
