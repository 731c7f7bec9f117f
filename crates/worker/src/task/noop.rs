//! The `noop` command: a job that does nothing, for as long as its arguments say, and ends as they say.
//!
//! Treenail's own: it tests a workflow's triggers without the work, and measures orchestration without processes.

use std::{collections::BTreeMap, time::Duration};

use tokio_util::sync::CancellationToken;
use treenail_proto::worker::v1::{JobTask, Outcome};

use crate::outcome;

/// `JobCommand.Name` of such a job.
const COMMAND: &str = "noop";
/// How the job ends: `succeeded`, which is the default, or `failed`.
const OUTCOME: &str = "--outcome";
/// How long it takes, in milliseconds.
const DURATION_MS: &str = "--duration-ms";
/// The error message of one that fails.
const ERROR_MESSAGE: &str = "--error-message";
/// The longest duration: two days, as long as AWS lets a job run by default.
const DURATION_MS_MAX: u64 = 2 * 24 * 60 * 60 * 1_000;

/// What such a job is to do.
#[derive(Debug, PartialEq, Eq)]
struct Noop {
    duration: Duration,
    error: Option<String>,
}

impl Noop {
    /// What a job's arguments say.
    ///
    /// # Errors
    /// In words when an argument is not one of those that it may be.
    fn of(arguments: &BTreeMap<String, String>) -> Result<Noop, String> {
        let argument = |name: &str| arguments.get(name).map(String::as_str);
        let duration = argument(DURATION_MS).map_or(Ok(0), str::parse).ok();
        let Some(duration) = duration.filter(|duration| *duration <= DURATION_MS_MAX) else {
            return Err(format!("{DURATION_MS} is a number from 0 to {DURATION_MS_MAX}"));
        };
        let error = match argument(OUTCOME) {
            None | Some("succeeded") => None,
            Some("failed") => {
                let message = argument(ERROR_MESSAGE).unwrap_or("The job failed, as its arguments say");
                Some(message.to_owned())
            }
            Some(_) => return Err(format!("{OUTCOME} is succeeded or failed")),
        };
        Ok(Noop {
            duration: Duration::from_millis(duration),
            error,
        })
    }

    /// Whether it ends as soon as it starts: nobody needs to hear of its start.
    fn is_instant(&self) -> bool {
        self.duration.is_zero()
    }

    /// Waits, and ends.
    async fn run(self, cancel: &CancellationToken) -> Outcome {
        match cancel.run_until_cancelled(tokio::time::sleep(self.duration)).await {
            Some(()) => self.end(),
            None => outcome::cancelled(),
        }
    }

    /// How it ends.
    fn end(self) -> Outcome {
        match self.error {
            None => outcome::succeeded(),
            Some(error) => outcome::failed(&error),
        }
    }
}

/// Executes such a job; says so when it takes its time.
pub(crate) async fn execute(job: &JobTask, cancel: &CancellationToken, started: impl AsyncFnOnce()) -> Outcome {
    match Noop::of(&job.arguments) {
        Ok(noop) if noop.is_instant() => noop.end(),
        Ok(noop) => {
            started().await;
            noop.run(cancel).await
        }
        Err(cause) => outcome::not_started(job, &cause),
    }
}

/// Whether a job is such a one.
pub(crate) fn is_noop(job: &JobTask) -> bool {
    job.command.as_ref().is_some_and(|command| command.name() == COMMAND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_say_how_long_and_how() {
        let of = |pairs: &[(&str, &str)]| {
            Noop::of(
                &pairs
                    .iter()
                    .map(|(key, value)| ((*key).into(), (*value).into()))
                    .collect(),
            )
        };
        let noop = |duration, error: Option<&str>| {
            Ok(Noop {
                duration: Duration::from_millis(duration),
                error: error.map(str::to_owned),
            })
        };
        assert_eq!(of(&[]), noop(0, None));
        assert_eq!(of(&[(OUTCOME, "succeeded"), (DURATION_MS, "7")]), noop(7, None));
        assert_eq!(of(&[(OUTCOME, "failed"), (ERROR_MESSAGE, "why")]), noop(0, Some("why")));
        for wrong in [
            (OUTCOME, "maybe"),
            (DURATION_MS, "-1"),
            (DURATION_MS, "172800001"),
            (DURATION_MS, ""),
        ] {
            assert!(of(&[wrong]).is_err(), "{wrong:?}");
        }
    }
}
