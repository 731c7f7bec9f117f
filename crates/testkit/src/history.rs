//! What clients did and heard, in one order: what the checkers judge.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use treenail_proto::glue::v1::{JobRun, WorkflowRun};

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `StartWorkflowRun`; the run carries the tag as a property.
    StartWorkflowRun {
        /// The workflow.
        workflow: String,
        /// Tells this call's run from all others.
        tag: String,
    },
    /// `ResumeWorkflowRun`.
    ResumeWorkflowRun {
        /// The run that is resumed.
        run: String,
    },
    /// `StopWorkflowRun`.
    StopWorkflowRun {
        /// The run.
        run: String,
    },
    /// `StartJobRun`; the job run carries the tag as an argument.
    StartJobRun {
        /// The job.
        job: String,
        /// Tells this call's job run from all others.
        tag: String,
    },
    /// `PutWorkflowRunProperties` of one key; no value is put twice.
    Put {
        /// The run.
        run: String,
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// `GetWorkflowRunProperties`.
    Get {
        /// The run.
        run: String,
    },
}

/// What a client heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was done; the id of what was started, where something was.
    Done(Option<String>),
    /// The properties of a run.
    Properties(BTreeMap<String, String>),
    /// It was refused, for a reason of AWS's.
    Refused(String),
    /// Nobody knows whether it was done.
    Unknown,
}

/// One call of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What was asked for.
    pub call: Call,
    /// When it was asked for: its place among all questions and answers.
    pub called: u64,
    /// When it was answered; `u64::MAX` while it is not.
    pub answered: u64,
    /// What was answered.
    pub answer: Answer,
}

/// All that clients did; clones share it.
#[derive(Debug, Clone, Default)]
pub struct History {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    operations: Vec<Operation>,
    next: u64,
}

/// What is there in the end.
#[derive(Debug, Clone, Default)]
pub struct End {
    /// All workflow runs, with their graphs.
    pub runs: Vec<WorkflowRun>,
    /// All job runs.
    pub job_runs: Vec<JobRun>,
    /// How many runs of each workflow may run at once.
    pub max_concurrent_runs: BTreeMap<String, i64>,
    /// How often each job may be tried again.
    pub max_retries: BTreeMap<String, i64>,
    /// Whether the wall clock was set back on the way.
    pub clock_went_back: bool,
}

impl End {
    /// Whether nothing but what schedules start runs any more.
    #[must_use]
    pub fn has_settled(&self) -> bool {
        let runs = self.runs.iter().all(|run| run.completed_on.is_some());
        runs && self.job_runs.iter().all(|run| run.completed_on.is_some())
    }
}

impl History {
    /// Writes down that a client asks; gives what its answer is written down with.
    #[must_use]
    pub fn call(&self, call: Call) -> usize {
        let mut shared = self.lock();
        let called = shared.tick();
        shared.operations.push(Operation {
            call,
            called,
            answered: u64::MAX,
            answer: Answer::Unknown,
        });
        shared.operations.len() - 1
    }

    /// Writes down what a client heard.
    pub fn answer(&self, operation: usize, answer: Answer) {
        let mut shared = self.lock();
        let answered = shared.tick();
        if let Some(operation) = shared.operations.get_mut(operation) {
            // What is unknown may still happen at any time.
            operation.answered = if answer == Answer::Unknown { u64::MAX } else { answered };
            operation.answer = answer;
        }
    }

    /// All calls, in the order in which they were made.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.lock().operations.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
