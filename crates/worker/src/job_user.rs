//! The user that jobs run as, where that is not the worker's own.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown},
    path::{Path, PathBuf},
};

/// The file of users.
const USERS: &str = "/etc/passwd";
/// Others may look names up in a folder that they know, and nothing else.
const PASSABLE: u32 = 0o711;

/// A user that is not the worker's own; only root can give processes to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobUser {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Why jobs cannot run as a user.
#[derive(Debug, thiserror::Error)]
pub enum JobUserError {
    /// The worker is not root.
    #[error("only a worker that runs as root can run jobs as another user; this one is user {0}")]
    NotRoot(u32),
    /// There is none of this name or number.
    #[error("{USERS} has no user {0:?} that jobs could run as")]
    Unknown(String),
    /// The user is root.
    #[error("jobs cannot be kept from anything as root: name another user")]
    Root,
    /// The file of users cannot be read.
    #[error("{USERS} cannot be read: {0}")]
    Users(io::Error),
    /// A folder is closed to the user.
    #[error("jobs cannot reach {}: {} is closed to user {user}", path.display(), closed.display())]
    Unreachable {
        /// What jobs must reach.
        path: PathBuf,
        /// What they cannot pass.
        closed: PathBuf,
        /// The user.
        user: u32,
    },
}

impl JobUser {
    /// The user of a name or a number in `/etc/passwd`.
    ///
    /// # Errors
    /// When there is none, when it is root, and when the worker is not root.
    pub fn find(name: &str) -> Result<JobUser, JobUserError> {
        let own = rustix::process::geteuid();
        if !own.is_root() || !cfg!(target_os = "linux") {
            return Err(JobUserError::NotRoot(own.as_raw()));
        }
        let users = fs::read_to_string(USERS).map_err(JobUserError::Users)?;
        let user = find_in(&users, name).ok_or_else(|| JobUserError::Unknown(name.to_owned()))?;
        if user.uid == 0 {
            Err(JobUserError::Root)
        } else {
            Ok(user)
        }
    }

    /// Gives a file to the user.
    pub(crate) fn own(self, path: &Path) -> io::Result<()> {
        lchown(path, Some(self.uid), Some(self.gid))
    }

    /// Gives a folder to the user with all that is in it.
    pub(crate) fn own_all(self, folder: &Path) -> io::Result<()> {
        for_all(folder, &mut |path| self.own(path))
    }

    /// Takes a folder back with all that is in it: the user may read what it could, and write nothing any more.
    pub(crate) fn take_back(self, folder: &Path) -> io::Result<()> {
        for_all(folder, &mut |path| {
            lchown(path, Some(0), Some(self.gid))?;
            let found = fs::symlink_metadata(path)?;
            if found.is_symlink() {
                return Ok(());
            }
            let mode = found.permissions().mode();
            let as_owner = (mode & 0o500) >> 3;
            fs::set_permissions(path, fs::Permissions::from_mode((mode & 0o700) | as_owner))
        })
    }

    /// Checks that the user can pass all folders above a path.
    pub(crate) fn check_reaches(self, path: &Path) -> Result<(), JobUserError> {
        let passes = |folder: &&Path| fs::metadata(folder).is_ok_and(|found| self.may_pass(&found));
        match path.ancestors().skip(1).find(|folder| !passes(folder)) {
            None => Ok(()),
            Some(closed) => Err(JobUserError::Unreachable {
                path: path.to_owned(),
                closed: closed.to_owned(),
                user: self.uid,
            }),
        }
    }

    fn may_pass(self, found: &fs::Metadata) -> bool {
        let digit = match () {
            () if found.uid() == self.uid => 6,
            () if found.gid() == self.gid => 3,
            () => 0,
        };
        found.mode() >> digit & 1 == 1
    }
}

/// Lets others pass a folder, and see nothing of it.
pub(crate) fn make_passable(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(PASSABLE))
}

fn find_in(users: &str, name: &str) -> Option<JobUser> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (named, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let is_it = named == name || name.parse() == Ok(uid);
        is_it.then_some(JobUser { uid, gid })
    })
}

fn for_all(path: &Path, act: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            for_all(&entry?.path(), act)?;
        }
    }
    act(path)
}

#[cfg(test)]
mod tests {
    use super::{JobUser, find_in};

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        const USERS: &str = "root:x:0:0:root:/root:/bin/bash\nbroken\njobs:x:1001:1002::/:/bin/false\n";
        let jobs = Some(JobUser { uid: 1001, gid: 1002 });
        assert_eq!(find_in(USERS, "jobs"), jobs);
        assert_eq!(find_in(USERS, "1001"), jobs);
        assert_eq!(find_in(USERS, "broken"), None);
        assert_eq!(find_in(USERS, "1002"), None);
        assert_eq!(find_in(USERS, ""), None);
    }
}
