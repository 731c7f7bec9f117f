//! The rows: columns for what is searched by, and an encoded message for the rest.

use treenail_rpc::{Scope, telemetry::TraceContext};

/// The kinds of plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlanKind {
    /// A workflow with its triggers.
    Workflow,
    /// A trigger outside workflows.
    Trigger,
    /// A job.
    Job,
}

/// A plan; the data is a `treenail.internal.v1.Plan`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRow {
    /// The account and region.
    pub scope: Scope,
    /// What it is of.
    pub kind: PlanKind,
    /// The name.
    pub name: String,
    /// The identity of the creation.
    pub uid: String,
    /// Orders the plans of a creation.
    pub sequence: u64,
    /// When it was written, in milliseconds since the Unix epoch.
    pub written_at_ms: i64,
    /// Whether the definition was deleted: the name then has no current plan.
    pub is_deleted: bool,
    /// The plan.
    pub data: Vec<u8>,
}

/// A workflow run; the data is a `treenail.internal.v1.StoredWorkflowRun`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// The account and region.
    pub scope: Scope,
    /// The run's id.
    pub id: String,
    /// The identity of the workflow's creation.
    pub workflow_uid: String,
    /// The sequence of the plan that the run keeps.
    pub plan_sequence: u64,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// Whether it has not ended.
    pub is_open: bool,
    /// The rest.
    pub data: Vec<u8>,
}

/// A job run; the data is a `treenail.internal.v1.StoredJobRun`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRunRow {
    /// The account and region.
    pub scope: Scope,
    /// The job run's id.
    pub id: String,
    /// The identity of the job's creation; `None` when there was no job.
    pub job_uid: Option<String>,
    /// The workflow run that it belongs to.
    pub run_id: Option<String>,
    /// The chain that it belongs to.
    pub chain_id: Option<String>,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// Whether it has not ended, or waits for its retry.
    pub is_open: bool,
    /// The rest.
    pub data: Vec<u8>,
}

/// A crawl; the data is a `treenail.internal.v1.StoredCrawl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrawlRow {
    /// The account and region.
    pub scope: Scope,
    /// The crawl's id.
    pub id: String,
    /// The workflow run that it belongs to.
    pub run_id: Option<String>,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// The rest.
    pub data: Vec<u8>,
}

/// What a resumed run shows of its previous run; the data is a `treenail.internal.v1.StoredCopies`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiesRow {
    /// The resumed run's id.
    pub run_id: String,
    /// The rest.
    pub data: Vec<u8>,
}

/// When a schedule ticks next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// The account and region.
    pub scope: Scope,
    /// The workflow that the schedule starts; empty for a trigger outside workflows.
    pub workflow: String,
    /// The trigger.
    pub trigger: String,
    /// When, in milliseconds since the Unix epoch; `None` removes the row.
    pub next_at_ms: Option<i64>,
}

/// The events that wait for a batch to fill; the data is a `treenail.internal.v1.StoredEventBatch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// The account and region.
    pub scope: Scope,
    /// The workflow.
    pub workflow: String,
    /// The rest; `None` removes the row.
    pub data: Option<Vec<u8>>,
}

/// An event of a history; the data is a `treenail.internal.v1.StoredEvent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The workflow run's id.
    pub run_id: String,
    /// Its place: 1, 2, 3, …
    pub sequence: u64,
    /// When it happened, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The rest.
    pub data: Vec<u8>,
}

/// The answer to a call that must not be carried out twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationRow {
    /// The account and region.
    pub scope: Scope,
    /// The operation, the client's invocation id and the digest of the request.
    pub key: String,
    /// Until when a repetition gets the same answer, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
    /// The answer: the id of what was started, and what else it says, line by line.
    pub answer: String,
}

/// The trace that a run belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceRow {
    /// The account and region.
    pub scope: Scope,
    /// The id of the workflow run, or that of the first attempt of a job run outside workflows.
    pub id: String,
    /// The request that started it; `None` removes the row.
    pub context: Option<TraceContext>,
}

/// A job's bookmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookmarkRow {
    /// The identity of the job's creation.
    pub job_uid: String,
    /// How often it was written.
    pub version: i32,
    /// How many runs have committed.
    pub run: i32,
    /// The attempt that committed.
    pub attempt: i32,
    /// The run that committed.
    pub run_id: String,
    /// The run that had committed before.
    pub previous_run_id: String,
    /// The state, a JSON text.
    pub state: String,
}

/// What one transaction writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Plans.
    pub plans: Vec<PlanRow>,
    /// Workflow runs.
    pub runs: Vec<RunRow>,
    /// Job runs.
    pub job_runs: Vec<JobRunRow>,
    /// Crawls.
    pub crawls: Vec<CrawlRow>,
    /// What resumed runs show.
    pub copies: Vec<CopiesRow>,
    /// Schedules.
    pub schedules: Vec<ScheduleRow>,
    /// Batches of events.
    pub batches: Vec<BatchRow>,
    /// Histories.
    pub events: Vec<EventRow>,
    /// Answers.
    pub invocations: Vec<InvocationRow>,
    /// Traces, in order: a row may be put and removed.
    pub traces: Vec<TraceRow>,
    /// How far a manual clock has got, in milliseconds since the Unix epoch.
    pub clock_ms: Option<i64>,
}

impl StoredScope {
    /// Nothing, in a scope.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            plans: Vec::new(),
            kept_plans: Vec::new(),
            runs: Vec::new(),
            copies: Vec::new(),
            job_runs: Vec::new(),
            crawls: Vec::new(),
            schedules: Vec::new(),
            batches: Vec::new(),
            invocations: Vec::new(),
            traces: Vec::new(),
            clock_ms: None,
        }
    }
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

/// What has not ended in an account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredScope {
    /// The account and region.
    pub scope: Scope,
    /// The current plans.
    pub plans: Vec<PlanRow>,
    /// The plans that open runs and job runs keep, where they are not current.
    pub kept_plans: Vec<PlanRow>,
    /// The open workflow runs.
    pub runs: Vec<RunRow>,
    /// What resumed ones among them show.
    pub copies: Vec<CopiesRow>,
    /// The copied job runs, and all job runs of those runs; the other open ones; and all of the chains of open ones.
    pub job_runs: Vec<JobRunRow>,
    /// The crawls of those runs, and the copied ones.
    pub crawls: Vec<CrawlRow>,
    /// The schedules.
    pub schedules: Vec<ScheduleRow>,
    /// The batches of events.
    pub batches: Vec<BatchRow>,
    /// The answers.
    pub invocations: Vec<InvocationRow>,
    /// The traces.
    pub traces: Vec<TraceRow>,
    /// How far a manual clock has got, in milliseconds since the Unix epoch.
    pub clock_ms: Option<i64>,
}
