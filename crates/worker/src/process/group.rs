//! A process with its group: whatever it started and did not detach from it.

use std::{
    io,
    process::{ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::{pre_exec, spawner::Spawner};

/// A process that leads a group; the group is killed with this value.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    /// Starts a process in a session and group of its own, with its outputs to be taken.
    pub(crate) async fn start(mut command: Command, spawner: &Spawner, open_files: u64) -> io::Result<Group> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        pre_exec::isolate(&mut command, open_files);
        let child = spawner.spawn(command).await?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Group { child, leader })
    }

    /// The process's outputs, once.
    pub(crate) fn outputs(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        Some((self.child.stdout.take()?, self.child.stderr.take()?))
    }

    /// Waits for the process, then kills what it left behind.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.kill_all();
        // From now on the number may be another group's.
        self.leader = None;
        status
    }

    /// Kills the process and all of its group.
    pub(crate) fn kill_all(&self) {
        if let Some(leader) = self.leader
            && let Err(error) = kill_process_group(leader, Signal::KILL)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(%error, group = leader.as_raw_nonzero().get(), "a process group could not be killed");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill_all();
    }
}
