//! How attempts end, in the words of AWS where it has some.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

use treenail_proto::worker::v1::{JobTask, Outcome, Result as Kind};

use crate::process::Breach;

/// The most characters of a job run's `ErrorMessage`.
const ERROR_MESSAGE_LENGTH_MAX: usize = 2_048;
/// The most characters of a job run's `StateDetail`.
const STATE_DETAIL_LENGTH_MAX: usize = 10_240;

/// Which of AWS's engines a command asks for; their failures are told differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Plain Python: `pythonshell`.
    PythonShell,
    /// Spark: `glueetl` and `gluestreaming`.
    Spark,
}

/// The task did what it was asked for.
pub(crate) fn succeeded() -> Outcome {
    ended(Kind::Succeeded, "", "")
}

/// The task failed, in words of the user's.
pub(crate) fn failed(message: &str) -> Outcome {
    ended(Kind::Failed, message, "")
}

/// The task was ended because somebody asked for it.
pub(crate) fn cancelled() -> Outcome {
    ended(Kind::Cancelled, "", "")
}

/// The script could not be started.
pub(crate) fn not_started(job: &JobTask, cause: &str) -> Outcome {
    let (name, run) = (&job.job_name, &job.job_run_id);
    let message = format!("JobName:{name} and JobRunId:{run} failed to execute with exception {cause}");
    ended(Kind::Failed, &message, "")
}

/// The task is none.
pub(crate) fn without_job() -> Outcome {
    ended(Kind::Failed, "The task holds no job.", "")
}

/// The worker itself failed at the task.
pub(crate) fn worker_failed() -> Outcome {
    ended(Kind::Failed, "The worker failed while it ran the script.", "")
}

/// The process could not be waited for.
pub(crate) fn lost(cause: &std::io::Error) -> Outcome {
    ended(Kind::Failed, &format!("The script's process was lost: {cause}"), "")
}

/// The script's process ended; `error_tail` is the end of what it wrote to standard error.
pub(crate) fn exited(engine: Engine, status: ExitStatus, error_tail: &str) -> Outcome {
    if status.success() {
        return succeeded();
    }
    let detail = error_tail.trim();
    let signal = status.signal();
    // Python's own convention for a process that a signal ended, which AWS's launcher follows.
    let code = status
        .code()
        .or_else(|| signal.map(|signal| -signal))
        .unwrap_or_default();
    let in_words = signal.map(|signal| format!("The script was ended by signal {signal}{}.", name_of(signal)));
    let message = match (engine, &in_words) {
        (Engine::PythonShell, _) => format!("Command failed with exit code {code}"),
        (Engine::Spark, Some(words)) => words.clone(),
        (Engine::Spark, None) => last_line(detail).map_or_else(|| format!("SystemExit: {code}"), str::to_owned),
    };
    let detail = match in_words {
        Some(words) => format!("{words}\n{detail}"),
        None => detail.to_owned(),
    };
    ended(Kind::Failed, &message, detail.trim())
}

/// The script was killed because it had too much of something.
pub(crate) fn breached(engine: Engine, breach: Breach, error_tail: &str) -> Outcome {
    const MIB: u64 = 1024 * 1024;
    let (message, words) = match (breach, engine) {
        (Breach::Memory(most), Engine::PythonShell) => {
            ("Command failed with exit code 10", too_much_memory(most / MIB))
        }
        (Breach::Memory(most), Engine::Spark) => ("Command Failed due to Out of Memory", too_much_memory(most / MIB)),
        (Breach::Processes(most), Engine::PythonShell | Engine::Spark) => (
            "Command failed: too many processes",
            format!("The job was ended: it had more than {most} processes at once."),
        ),
    };
    ended(Kind::Failed, message, format!("{words}\n{}", error_tail.trim()).trim())
}

fn too_much_memory(most_mib: u64) -> String {
    format!("The job was ended: its processes had more than {most_mib} MiB of memory.")
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty())
}

fn name_of(signal: i32) -> &'static str {
    match signal {
        6 => " (SIGABRT)",
        9 => " (SIGKILL; the system may have been out of memory)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

fn ended(kind: Kind, error_message: &str, state_detail: &str) -> Outcome {
    Outcome {
        result: kind.into(),
        error_message: error_message.chars().take(ERROR_MESSAGE_LENGTH_MAX).collect(),
        state_detail: last_characters(state_detail, STATE_DETAIL_LENGTH_MAX).to_owned(),
    }
}

fn last_characters(text: &str, count: usize) -> &str {
    let start = text.char_indices().rev().nth(count.saturating_sub(1));
    start.map_or(text, |(start, _)| &text[start..])
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

    use treenail_proto::worker::v1::Result as Kind;

    use super::{Engine, exited, last_characters};

    #[test]
    fn an_end_is_told_as_the_engine_tells_it() {
        const TRACE: &str = "Traceback (most recent call last):\n  File \"a.py\"\nValueError: no such day\n";
        let exit = |code: i32| ExitStatus::from_raw(code << 8);
        let rows = [
            (Engine::PythonShell, exit(0), "warning", Kind::Succeeded, ""),
            (
                Engine::PythonShell,
                exit(1),
                TRACE,
                Kind::Failed,
                "Command failed with exit code 1",
            ),
            (
                Engine::PythonShell,
                ExitStatus::from_raw(9),
                "",
                Kind::Failed,
                "Command failed with exit code -9",
            ),
            (Engine::Spark, exit(1), TRACE, Kind::Failed, "ValueError: no such day"),
            (Engine::Spark, exit(3), "", Kind::Failed, "SystemExit: 3"),
            (
                Engine::Spark,
                ExitStatus::from_raw(15),
                "",
                Kind::Failed,
                "The script was ended by signal 15 (SIGTERM).",
            ),
        ];
        for (engine, status, tail, kind, message) in rows {
            let outcome = exited(engine, status, tail);
            assert_eq!(
                (outcome.result(), outcome.error_message.as_str()),
                (kind, message),
                "{engine:?} {status}"
            );
        }
    }

    #[test]
    fn a_detail_keeps_its_end() {
        assert_eq!(last_characters("größe", 3), "öße");
        assert_eq!(last_characters("abc", 3), "abc");
        assert_eq!(last_characters("ab", 3), "ab");
    }
}
