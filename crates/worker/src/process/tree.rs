//! The processes that descend from one, as Linux tells them under `/proc`.
//!
//! A script's process adopts what its descendants leave behind (it is a subreaper), and the worker adopts what a script
//! leaves behind, so that nothing escapes by leaving its group or session.

use std::{
    collections::BTreeSet,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

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

/// How much memory processes have that is no file's, in bytes; what several share is counted for each.
pub(super) fn resident_bytes(processes: &[Pid]) -> u64 {
    bytes_of(processes, "status", &["RssAnon:", "RssShmem:"])
}

/// How much memory processes have, in bytes, with what several share counted once; slower to find out.
pub(super) fn proportional_bytes(processes: &[Pid]) -> u64 {
    bytes_of(processes, "smaps_rollup", &["Pss_Anon:", "Pss_Shmem:"])
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
    let Some(own_session) = session(getpid()) else { return };
    for child in children(getpid()) {
        let is_left = !leaders.contains(&child.as_raw_nonzero().get())
            && session(child).is_some_and(|session| session != own_session);
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

/// A process's session; 0 for one whose leader is outside this process's namespace, as in a container that was entered
/// (where `rustix`'s `getsid`, which takes 0 for impossible, is unsound).
fn session(process: Pid) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    session_in(&stat)
}

/// The sixth field: the fourth after the name, which ends with the last parenthesis.
fn session_in(stat: &str) -> Option<u32> {
    let (_name, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(3)?.parse().ok()
}

/// The sum of some lines of a file that the kernel keeps for each process.
fn bytes_of(processes: &[Pid], file: &str, names: &[&str]) -> u64 {
    let texts = processes
        .iter()
        .filter_map(|process| fs::read_to_string(format!("/proc/{}/{file}", process.as_raw_nonzero())).ok());
    texts.map(|text| kibibytes_in(&text, names) * 1_024).sum()
}

fn kibibytes_in(text: &str, names: &[&str]) -> u64 {
    let values = names.iter().filter_map(|name| {
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    });
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::{kibibytes_in, session_in};

    #[test]
    fn a_session_is_read_behind_any_name() {
        assert_eq!(session_in("7 (a) b (c)) S 1 7 0 0 -1 4194560"), Some(0));
        assert_eq!(session_in("7 (python3) R 1 7 42 0 -1 4194560"), Some(42));
        assert_eq!(session_in("7 (python3"), None);
    }

    #[test]
    fn lines_are_summed_by_name() {
        let text = "Rss:  900 kB\nPss_Anon:   12 kB\nPss_Shmem:  30 kB\n";
        assert_eq!(kibibytes_in(text, &["Pss_Anon:", "Pss_Shmem:"]), 42);
        assert_eq!(kibibytes_in(text, &["Swap:"]), 0);
    }
}
