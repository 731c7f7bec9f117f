//! How a container stands, as its engine tells it.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

/// What the engine is asked for; both engines tell the same under these names.
pub(super) const FORMAT: &str =
    "{{.State.Status}} {{.State.Running}} {{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Error}}";
/// A shell's way, and that of the process with which containers begin, to tell of a signal: it and this together.
const SIGNAL_BASE: i32 = 128;
/// The largest signal.
const SIGNAL_MAX: i32 = 64;

/// How a container stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Whether the script runs.
    pub(super) is_running: bool,
    /// Whether the script was ever started.
    pub(super) ran: bool,
    /// Whether the kernel ended a process of the container because together they had more memory than they may.
    pub(super) is_out_of_memory: bool,
    /// Why the engine could not start it.
    pub(super) cause: Option<String>,
    exit_code: i32,
}

impl State {
    /// How the script ended, as if it had been a process of the worker's.
    pub(super) fn status(&self) -> ExitStatus {
        let signal = self.exit_code - SIGNAL_BASE;
        if (1..=SIGNAL_MAX).contains(&signal) {
            ExitStatus::from_raw(signal)
        } else {
            ExitStatus::from_raw(self.exit_code << 8)
        }
    }
}

/// Reads what the engine told.
pub(super) fn read(told: &str) -> Option<State> {
    let mut words = told.trim().splitn(5, ' ');
    let (status, running, out_of_memory) = (words.next()?, words.next()?, words.next()?);
    let exit_code = words.next()?.parse().ok()?;
    let cause = words.next().unwrap_or_default().trim();
    Some(State {
        is_running: running.parse().ok()?,
        ran: !matches!(status, "created" | "configured" | "initialized"),
        is_out_of_memory: out_of_memory.parse().ok()?,
        cause: Some(cause.to_owned()).filter(|cause| !cause.is_empty()),
        exit_code,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::read;

    #[test]
    fn a_state_is_read_as_both_engines_tell_it() {
        let state = read("exited false true 137 \n").unwrap();
        assert_eq!(
            (state.is_running, state.ran, state.is_out_of_memory),
            (false, true, true)
        );
        assert_eq!((state.status().signal(), state.status().code()), (Some(9), None));

        let state = read("exited false false 3").unwrap();
        assert_eq!((state.status().signal(), state.status().code()), (None, Some(3)));

        let state = read("created false false 127 exec: \"python3\": not found\n").unwrap();
        assert!(!state.ran);
        assert_eq!(state.cause.as_deref(), Some("exec: \"python3\": not found"));

        for nonsense in ["", "exited", "exited maybe false 1", "exited false false many"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
