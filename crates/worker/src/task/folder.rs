//! The folder of one attempt: its script, its files and its working directory, gone when the attempt has ended.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use tokio::{sync::OwnedSemaphorePermit, task::spawn_blocking};

use crate::{config::Config, job_user::JobUser};

/// The folder of all attempts in the worker's folder.
pub(crate) const ATTEMPTS: &str = "attempts";

const OWNER_ONLY: u32 = 0o700;

/// An attempt's own folder, open to nobody else.
#[derive(Debug)]
pub(crate) struct AttemptFolder {
    root: PathBuf,
    owner: Option<JobUser>,
}

impl AttemptFolder {
    /// Makes the folder of a task's attempt, anew if there is one.
    ///
    /// # Errors
    /// In words when it cannot be made.
    pub(super) async fn create(config: &Config, task_id: &str, token: u64) -> Result<AttemptFolder, String> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if task_id.is_empty() || !task_id.bytes().all(is_name) {
            return Err("The task's id is none.".to_owned());
        }
        let owner = config.job_user;
        let root = config.work_dir.join(ATTEMPTS).join(format!("{task_id}-{token}"));
        // One step of the pool of blocking calls, because each costs as much as the call itself.
        let made = spawn_blocking(move || {
            let folder = AttemptFolder { root, owner };
            folder.make().map(|()| folder)
        });
        let made = made.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        made.map_err(|error| format!("The attempt's folder cannot be made: {error}"))
    }

    /// Makes an attempt's folder of one that is there and is nobody else's.
    ///
    /// # Errors
    /// In words when it cannot be made.
    pub(crate) fn within(root: &Path) -> Result<AttemptFolder, String> {
        let folder = AttemptFolder {
            root: root.to_owned(),
            owner: None,
        };
        let filled = folder.fill();
        filled.map_err(|error| format!("The attempt's folder cannot be made: {error}"))?;
        Ok(folder)
    }

    fn make(&self) -> io::Result<()> {
        remove_if_there(&self.root)?;
        self.fill()
    }

    fn fill(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(OWNER_ONLY);
        for folder in [self.work(), self.script(), self.libraries(), self.temporary()] {
            builder.create(folder)?;
        }
        self.owner.map_or(Ok(()), |owner| owner.own_all(&self.root))
    }

    /// Gives what the worker has put into the folder to the user that jobs run as, if there is one.
    ///
    /// # Errors
    /// In words when it cannot be given.
    pub(crate) async fn hand_over(&self) -> Result<(), String> {
        let Some(owner) = self.owner else { return Ok(()) };
        let root = self.root.clone();
        let given = spawn_blocking(move || owner.own_all(&root)).await;
        let given = given.unwrap_or_else(|error| Err(io::Error::other(error)));
        given.map_err(|error| format!("The attempt's folder cannot be given to the user of jobs: {error}"))
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The working directory, and home.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Where the script is.
    pub(super) fn script(&self) -> PathBuf {
        self.root.join("script")
    }

    /// Where the user's Python files are.
    pub(crate) fn libraries(&self) -> PathBuf {
        self.root.join("libraries")
    }

    /// Where the modules are that are installed for this attempt alone.
    pub(crate) fn modules(&self) -> PathBuf {
        self.root.join("modules")
    }

    /// Where temporary files are made.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Removes the folder while others go on, and then the slot is free. What cannot be removed is removed when the worker
    /// starts again.
    pub(super) fn remove(self, slot: OwnedSemaphorePermit) {
        spawn_blocking(move || {
            if let Err(error) = remove_if_there(&self.root) {
                tracing::warn!(%error, folder = %self.root.display(), "an attempt's folder is left behind");
            }
            drop(slot);
        });
    }
}

fn remove_if_there(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
