//! A script's process with all that it starts: its group, and what leaves that.

use std::{
    io,
    process::{ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use tokio_util::sync::CancellationToken;

use super::{
    bounds::{Bounds, Breach},
    cgroups::Cgroup,
    pre_exec::{self, Limits},
    spawner::Spawner,
    tree,
};
use crate::job_user::JobUser;

/// How a script's process came to its end.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// It was killed because somebody asked for it.
    Cancelled,
    /// It was killed because it had too much of something.
    Breached(Breach),
    /// It never began; the cause is empty where the script's standard error has it.
    NotStarted(String),
}

/// A process that leads a group; the group and all that descends from it is killed with this value.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    leader: Option<Pid>,
    /// The kernel's bounds, where the worker may have it make some.
    cgroup: Option<Cgroup>,
}

impl Group {
    /// Starts a process in a session and group of its own, as a user if there is one, with its outputs to be taken.
    pub(crate) async fn start(
        mut command: Command,
        spawner: &Spawner,
        limits: Limits,
        user: Option<JobUser>,
        cgroup: Option<Cgroup>,
    ) -> io::Result<Group> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let entrances = cgroup.as_ref().map(Cgroup::entrances).transpose()?;
        pre_exec::isolate(&mut command, limits, user, entrances);
        let child = spawner.spawn(command).await?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Group { child, leader, cgroup })
    }

    /// The process's outputs, once.
    pub(crate) fn outputs(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        Some((self.child.stdout.take()?, self.child.stderr.take()?))
    }

    /// Waits until the process ends, or kills it: when `cancel` fires, and when it has more than `bounds`. Whatever it
    /// left behind is killed with it.
    pub(crate) async fn end(&mut self, bounds: Bounds, cancel: &CancellationToken) -> io::Result<Ended> {
        let mut ended = self.ended(bounds, cancel).await;
        if let Some(mut cgroup) = self.cgroup.take() {
            let has_failed = matches!(&ended, Ok(Ended::Exited(status)) if !status.success());
            if has_failed && cgroup.was_out_of_memory() {
                ended = Ok(Ended::Breached(Breach::Memory(bounds.memory)));
            }
            cgroup.remove().await;
        }
        ended
    }

    async fn ended(&mut self, bounds: Bounds, cancel: &CancellationToken) -> io::Result<Ended> {
        let leader = self.leader;
        let ended = tokio::select! {
            status = self.child.wait() => {
                self.kill_group();
                self.forget();
                return status.map(Ended::Exited);
            }
            () = cancel.cancelled() => Ended::Cancelled,
            breach = bounds.breached_by(leader) => Ended::Breached(breach),
        };
        self.kill_all();
        let status = self.child.wait().await;
        self.forget();
        status.map(|_killed| ended)
    }

    fn kill_all(&self) {
        if let Some(leader) = self.leader {
            tree::kill(leader);
        }
        self.kill_group();
    }

    /// The process has ended: from now on its number may be another's. What it left behind is the worker's, and killed.
    fn forget(&mut self) {
        if let Some(leader) = self.leader.take() {
            tree::leaders().remove(&leader.as_raw_nonzero().get());
            tree::sweep();
        }
    }

    fn kill_group(&self) {
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
        self.forget();
    }
}
