//! What a process does between fork and exec.

use std::io;

use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Resource, Rlimit, Signal},
};
use tokio::process::Command;

use super::cgroups::{self, Entrances};
use crate::job_user::JobUser;

/// The first to be killed when memory runs out.
const OOM_SCORE_ADJUSTMENT: &[u8] = b"1000";

/// How much one process may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many files it may have open.
    pub(crate) open_files: u64,
    /// How many bytes a file may have that it writes.
    pub(crate) file_bytes: u64,
}

/// Makes the command's process enter control groups if there are some, lead its own session, belong to a user, adopt what its descendants leave behind, die with the
/// worker, and gain no privileges.
#[expect(
    unsafe_code,
    reason = "between fork and exec nothing but system calls is possible, and std cannot know"
)]
pub(super) fn isolate(command: &mut Command, limits: Limits, user: Option<JobUser>, groups: Option<Entrances>) {
    let worker = rustix::process::getpid();
    // SAFETY: the closure makes system calls only: it neither allocates nor takes a lock, and touches no memory that
    // another thread of the parent could have held at the fork.
    unsafe {
        command.pre_exec(move || {
            // First, as whoever may enter; and whatever follows counts.
            groups.as_ref().map_or(Ok(()), cgroups::enter)?;
            isolate_this_process(worker, limits, user)
        });
    }
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(unused_variables, reason = "there is neither another user nor such a signal")
)]
fn isolate_this_process(worker: Pid, limits: Limits, user: Option<JobUser>) -> io::Result<()> {
    rustix::process::setsid()?;
    #[cfg(target_os = "linux")]
    {
        // First of all: until the exec, this process holds whatever the worker holds, its ports and the lock of its folder.
        die_with(worker)?;
        be_killed_first();
        if let Some(user) = user {
            become_user(user)?;
            // With the change of user the kernel forgets it.
            die_with(worker)?;
        }
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        rustix::thread::set_no_new_privs(true)?;
    }
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    lower(Resource::Core, 0)?;
    lower(Resource::Fsize, limits.file_bytes)?;
    lower(Resource::Nofile, limits.open_files)
}

fn lower(resource: Resource, wanted: u64) -> io::Result<()> {
    let hard = rustix::process::getrlimit(resource).maximum;
    let limit = Some(hard.map_or(wanted, |hard| hard.min(wanted)));
    rustix::process::setrlimit(
        resource,
        Rlimit {
            current: limit,
            maximum: limit,
        },
    )?;
    Ok(())
}

/// Lets the kernel end this process when the worker ends, and fails when it has ended already: nobody would tell then.
#[cfg(target_os = "linux")]
fn die_with(worker: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() == Some(worker) {
        Ok(())
    } else {
        Err(rustix::io::Errno::SRCH.into())
    }
}

/// The process has one thread, so what is called the thread's is all of it.
#[cfg(target_os = "linux")]
fn become_user(user: JobUser) -> io::Result<()> {
    use rustix::process::{Gid, Uid};

    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

/// Best effort: a sandbox without `/proc` has no such file, and there the score matters less than the run.
#[cfg(target_os = "linux")]
fn be_killed_first() {
    let file = rustix::fs::open(
        c"/proc/self/oom_score_adj",
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    if let Ok(file) = file {
        rustix::io::write(&file, OOM_SCORE_ADJUSTMENT).ok();
    }
}
