//! Why a run is as it is: what its nodes wait for, why a trigger did not fire, why it ended as it did.
//!
//! Everything follows from what is stored: the run's record, the plan that it keeps, what ran in its nodes and its history.

mod attempt;
mod index;
mod node;
mod run;
mod sentence;
mod trigger;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use self::index::Index;
use super::{
    history::{Cause, HistoryEvent},
    job_run::JobRun,
    plan::{Condition, WorkflowPlan},
    run::{CopiedRun, RunRecord},
    state::{CrawlState, EndState, JobRunState, RunStatus},
};
use crate::{
    Timestamp,
    ids::{JobRunId, WorkflowRunId},
    task::WorkerId,
};

/// What is known of a run.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What is stored of it.
    pub record: &'a RunRecord,
    /// The plan that it keeps.
    pub plan: &'a WorkflowPlan,
    /// The job runs that it started, oldest first.
    pub job_runs: &'a [JobRun],
    /// What it shows of the run that it resumes, by node.
    pub copied: &'a BTreeMap<usize, Vec<CopiedRun>>,
    /// Its history, in order.
    pub events: &'a [HistoryEvent],
    /// Runs of its jobs that others started while it ran: job, id and state. Those of [`unmet_jobs`] are enough.
    pub outside: &'a [(String, JobRunId, JobRunState)],
    /// How many runs a job may have at once, for the jobs of runs that are WAITING.
    pub limits: &'a BTreeMap<String, u32>,
}

/// One thing that explains something; its text is a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The run was started.
    Started {
        /// By what.
        cause: Cause,
        /// When.
        at: Timestamp,
    },
    /// The run was refused: its workflow was at its limit.
    Refused {
        /// What would have started it.
        cause: Cause,
        /// When.
        at: Timestamp,
        /// How many runs the workflow may have at once.
        limit: Option<u32>,
    },
    /// The run's properties are not in place yet.
    WaitsForProperties,
    /// Nothing starts the workflow's jobs.
    NothingToDo,
    /// Someone asked for a stop.
    StopRequested {
        /// When.
        at: Timestamp,
    },
    /// The run ended.
    Ended {
        /// How.
        status: RunStatus,
        /// When.
        at: Timestamp,
    },
    /// These failed, which does not fail a run.
    Failures {
        /// The nodes.
        nodes: Vec<Failure>,
    },
    /// These never ran.
    NeverRan {
        /// The nodes' names.
        nodes: Vec<String>,
    },
    /// An attempt of a job.
    Attempt(Attempt),
    /// More attempts than are told one by one.
    MoreAttempts {
        /// How many more.
        count: usize,
    },
    /// A crawl ended.
    Crawled {
        /// The crawler.
        crawler: String,
        /// How.
        state: CrawlState,
        /// When.
        at: Timestamp,
    },
    /// The run restarts the node, because it was asked to.
    Restarted {
        /// The node's name.
        node: String,
        /// The run that is resumed.
        previous: WorkflowRunId,
    },
    /// The node shows what ran in the run before this one.
    Copied {
        /// The node's name.
        node: String,
        /// That run.
        previous: WorkflowRunId,
    },
    /// A trigger fired.
    Fired {
        /// The trigger.
        trigger: String,
        /// When.
        at: Timestamp,
        /// What met its conditions; empty for the trigger that starts the run.
        because: Vec<(String, EndState)>,
    },
    /// A trigger was not ACTIVATED when the run started.
    NotActivated {
        /// The trigger.
        trigger: String,
    },
    /// A trigger lies before what a resumed run restarts.
    Upstream {
        /// The trigger.
        trigger: String,
    },
    /// A trigger waits, or waited, for conditions.
    Open {
        /// The trigger.
        trigger: String,
        /// Whether it needs all of them.
        needs_all: bool,
        /// Those that are not met, and how what they watch stands.
        conditions: Vec<(Condition, Standing)>,
    },
    /// What a resumed run shows of its previous run meets a trigger's conditions, but nothing that it watches ended anew.
    NothingAnew {
        /// The trigger.
        trigger: String,
    },
    /// Nothing is left that could meet a trigger's conditions.
    NothingLeft {
        /// The trigger.
        trigger: String,
    },
    /// Nothing starts after a stop.
    AfterStop {
        /// The trigger that did not fire any more.
        trigger: String,
    },
    /// The name is no node of the run.
    NoSuchNode {
        /// The name.
        node: String,
    },
}

/// A node that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its name.
    pub node: String,
    /// How it ended.
    pub end: EndState,
    /// What went wrong.
    pub error: Option<String>,
}

/// An attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The job.
    pub job: String,
    /// The job run.
    pub job_run: JobRunId,
    /// The trigger that started it.
    pub trigger: Option<String>,
    /// How it stands.
    pub stands: AttemptStanding,
}

/// How an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptStanding {
    /// It waits for one of the job's concurrent runs to end.
    WaitsForSlot {
        /// How many there may be, where that is known.
        limit: Option<u32>,
    },
    /// It waits for a worker with a free slot.
    WaitsForWorker {
        /// Whether a worker had it before and was lost.
        was_lost: bool,
    },
    /// A worker has it and has not said that it runs.
    HandedOut {
        /// The worker.
        worker: WorkerId,
    },
    /// It runs.
    Runs {
        /// Since when.
        since: Timestamp,
        /// Whether it has lasted longer than its NotifyDelayAfter.
        is_late: bool,
    },
    /// A worker was asked to end it.
    Stops(Why),
    /// It failed and is tried again.
    Retries {
        /// When.
        at: Timestamp,
        /// How it failed.
        error: Option<String>,
    },
    /// It ended.
    Ended {
        /// How.
        state: JobRunState,
        /// When.
        at: Timestamp,
        /// What went wrong.
        error: Option<String>,
        /// Why it was stopped, if it was.
        stopped: Option<Why>,
    },
}

/// Why a job run is, or was, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The workflow run was stopped.
    RunStopped,
    /// It alone was stopped.
    Stopped,
    /// It ran longer than its Timeout.
    Timeout,
}

/// How what a condition watches stands, when it does not meet the condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has not run.
    NotStarted,
    /// It has not ended.
    Going(Attempt),
    /// It ended in another way.
    EndedAs {
        /// How.
        end: EndState,
        /// The job run, for a job.
        job_run: Option<JobRunId>,
    },
    /// It ended as it should, but the run had been stopped by then.
    TooLate(EndState),
    /// It ended as it should, in a run of the job that this workflow run did not start.
    Outside {
        /// That run.
        job_run: JobRunId,
        /// How it ended in this workflow run, if it ran there.
        own: Option<EndState>,
    },
}

impl Known<'_> {
    /// Why the run is as it is.
    #[must_use]
    pub fn run(&self) -> Vec<Finding> {
        Reader::new(self).run()
    }

    /// Why a node is as it is; jobs, crawlers and triggers have their nodes, and all nodes of the name are told of.
    #[must_use]
    pub fn node(&self, name: &str) -> Vec<Finding> {
        Reader::new(self).node(name)
    }
}

/// The jobs that did not do what a condition waits for: a run of one of them that others started may have done it.
#[must_use]
pub fn unmet_jobs(findings: &[Finding]) -> BTreeSet<&str> {
    let open = findings.iter().flat_map(|finding| match finding {
        Finding::Open { conditions, .. } => conditions.as_slice(),
        _ => &[],
    });
    let jobs = open.filter_map(|(condition, standing)| match (condition, standing) {
        (Condition::Job(job, _), Standing::NotStarted | Standing::EndedAs { .. }) => Some(job.as_str()),
        _ => None,
    });
    jobs.collect()
}

/// Reads what is known, in the order that its questions need.
struct Reader<'a> {
    known: &'a Known<'a>,
    index: Index<'a>,
}

impl<'a> Reader<'a> {
    fn new(known: &'a Known<'a>) -> Self {
        Self {
            known,
            index: Index::new(known),
        }
    }

    /// How the last activation of a node in this run ended, if it has.
    fn own_end(&self, node: usize) -> Option<EndState> {
        let last = self.index.job_runs(node).last().filter(|run| run.is_settled());
        let crawl = || self.index.crawl(node).map(|(state, _)| EndState::Crawl(state));
        last.map(|run| EndState::Job(run.state)).or_else(crawl)
    }

    fn copied_ends(&self, node: usize) -> impl DoubleEndedIterator<Item = EndState> {
        let runs = self.known.copied.get(&node).map_or(&[][..], Vec::as_slice);
        runs.iter().filter_map(CopiedRun::end)
    }
}
