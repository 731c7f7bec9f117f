//! The processes that descend from one, as Linux tells them under `/proc`.
//!
//! A script's process adopts what its descendants leave behind (it is a subreaper), and the worker adopts what a script
//! leaves behind, so that nothing escapes by leaving its group or session.

use std::{
    collections::BTreeSet,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, getsid, kill_process, waitpid};

/// More processes than any limit allows: where a walk ends.
const WALK_MAX: usize = 100_000;
/// How often a tree is looked at again while its processes are being stopped.
const STOPS_MAX: u32 = 50;

/// The scripts' processes of all workers of this process: its only children in sessions of their own.
static LEADERS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// The leaders; as long as this is held, none is started and nothing is swept.
pub(super) fn leaders() -> MutexGuard<'static, BTreeSet<i32>> {
    LEADERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process and all that descends from it, itself first; nothing when it is gone.
pub(super) fn of(root: Pid) -> Vec<Pid> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next)
        && found.len() < WALK_MAX
    {
        found.extend(children(parent));
        next += 1;
    }
    found
}

/// How much memory processes have for themselves, in bytes; what several share is counted for each.
pub(super) fn resident_bytes(processes: &[Pid]) -> u64 {
    let pages: u64 = processes.iter().filter_map(|process| own_pages(*process)).sum();
    pages.saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(4_096))
}

/// How much memory processes have, in bytes, with what several share counted once; slower to find out.
pub(super) fn proportional_bytes(processes: &[Pid]) -> u64 {
    processes.iter().filter_map(|process| proportional(*process)).sum()
}

/// Kills a process and all that descends from it, however fast it multiplies: what is stopped starts nothing.
pub(super) fn kill(root: Pid) {
    let mut stopped = BTreeSet::new();
    for _ in 0..STOPS_MAX {
        let tree = of(root);
        let new: Vec<Pid> = tree
            .into_iter()
            .filter(|process| stopped.insert(process.as_raw_nonzero()))
            .collect();
        if new.is_empty() {
            break;
        }
        signal(new, Signal::STOP);
    }
    let mut tree = of(root);
    // The root last: it is what the others are found by.
    tree.reverse();
    signal(tree, Signal::KILL);
}

/// Kills what scripts that have ended left behind.
pub(super) fn sweep() {
    let leaders = leaders();
    let Ok(own_session) = getsid(None) else { return };
    for child in children(getpid()) {
        let is_left = !leaders.contains(&child.as_raw_nonzero().get())
            && getsid(Some(child)).is_ok_and(|session| session != own_session);
        if is_left {
            kill(child);
            // One that takes longer to die is collected by the next sweep.
            let _collected = waitpid(Some(child), WaitOptions::NOHANG);
        }
    }
}

/// Kills what scripts of an earlier process of this worker left behind: all that carry its mark in their environment.
pub(super) fn sweep_marked(mark: &str) -> usize {
    let marked: Vec<Pid> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|process| *process != getpid() && has_mark(*process, mark))
        .collect();
    let count = marked.len();
    signal(marked, Signal::KILL);
    count
}

fn has_mark(process: Pid, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{}/environ", process.as_raw_nonzero())).unwrap_or_default();
    environment
        .split(|byte| *byte == 0)
        .any(|variable| variable == mark.as_bytes())
}

fn signal(processes: impl IntoIterator<Item = Pid>, signal: Signal) {
    for process in processes {
        if let Err(error) = kill_process(process, signal)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(%error, process = process.as_raw_nonzero(), "a process could not be signalled");
        }
    }
}

fn children(parent: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero()));
    let lists = threads
        .into_iter()
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|id| Pid::from_raw(id.parse().ok()?))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The pages that a process shares with no file: the second number less the third.
fn own_pages(process: Pid) -> Option<u64> {
    let sizes = fs::read_to_string(format!("/proc/{}/statm", process.as_raw_nonzero())).ok()?;
    let mut sizes = sizes.split_whitespace().skip(1);
    let (resident, shared): (u64, u64) = (sizes.next()?.parse().ok()?, sizes.next()?.parse().ok()?);
    Some(resident.saturating_sub(shared))
}

fn proportional(process: Pid) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.as_raw_nonzero())).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}
