//! What jobs do in a simulation: nothing, for a while, and then they end as their arguments say. All of it is written down.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use treenail_proto::worker::v1::{Outcome, Result as Ended, Task};
use treenail_worker::{Execute, Started};

use crate::random::Random;

/// The argument that says how a job ends: `succeeded`, `failed`, or `mixed` for either.
pub const OUTCOME: &str = "--outcome";
/// The argument that says how long a job takes at the most, in milliseconds.
pub const DURATION_MS: &str = "--duration-ms";

/// What the error of a job says that failed as its arguments say.
pub const AS_ASKED: &str = "as the arguments say";

/// One time that a worker executed a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The attempt.
    pub job_run: String,
    /// The token of the hand-out.
    pub token: u64,
    /// How it ended; `None` while it runs, or when its worker crashed.
    pub ended: Option<Ended>,
}

/// All executions, of all workers; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Executions {
    log: Arc<Mutex<Vec<Execution>>>,
}

impl Executions {
    /// All of them, in the order of their starts.
    #[must_use]
    pub fn all(&self) -> Vec<Execution> {
        self.log().clone()
    }

    fn begin(&self, task: &Task) -> usize {
        let mut log = self.log();
        log.push(Execution {
            job_run: task.task_id.clone(),
            token: task.token,
            ended: None,
        });
        log.len() - 1
    }

    fn end(&self, index: usize, ended: Ended) {
        if let Some(execution) = self.log().get_mut(index) {
            execution.ended = Some(ended);
        }
    }

    fn log(&self) -> MutexGuard<'_, Vec<Execution>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Executes tasks by waiting.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Decides about durations and mixed outcomes.
    pub random: Random,
    /// Where executions are written down.
    pub executions: Executions,
}

impl Execute for Waiting {
    async fn execute(&self, task: &Task, cancel: &CancellationToken, started: Started) -> Outcome {
        let argument = |name| {
            let job = task.job.as_ref();
            job.and_then(|job| job.arguments.get(name)).map_or("", String::as_str)
        };
        let most = argument(DURATION_MS).parse().unwrap_or_default();
        let duration: Duration = self.random.up_to_ms(most);
        let fails = match argument(OUTCOME) {
            "failed" => true,
            "mixed" => self.random.happens(400),
            _ => false,
        };
        let execution = self.executions.begin(task);
        started.say().await;
        let waited = cancel.run_until_cancelled(tokio::time::sleep(duration)).await;
        let (ended, error_message) = match (waited, fails) {
            (None, _) => (Ended::Cancelled, ""),
            (Some(()), true) => (Ended::Failed, AS_ASKED),
            (Some(()), false) => (Ended::Succeeded, ""),
        };
        self.executions.end(execution, ended);
        Outcome {
            result: ended.into(),
            error_message: error_message.to_owned(),
            ..Outcome::default()
        }
    }
}
