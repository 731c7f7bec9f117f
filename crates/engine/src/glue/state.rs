//! The states of runs, in AWS's words.

/// What a workflow starts and watches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The job of this name.
    Job(String),
    /// The crawler of this name.
    Crawler(String),
}

/// The states of a workflow run (`Glue API: WorkflowRunStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunStatus {
    /// Something runs or can still start.
    Running,
    /// Nothing runs and nothing can start any more; says nothing of success.
    Completed,
    /// A stop was requested and something still runs.
    Stopping,
    /// A stop was requested and nothing runs.
    Stopped,
    /// The run was refused by the workflow's MaxConcurrentRuns; nothing ever ran.
    Error,
}

impl RunStatus {
    /// Whether the run has ended: it never changes again.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Running | Self::Stopping => false,
            Self::Completed | Self::Stopped | Self::Error => true,
        }
    }
}

/// The states of a job run (`Glue API: JobRunState`). `EXPIRED` is never produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobRunState {
    /// Waits for a free slot of its job (job-run queuing).
    Waiting,
    /// Accepted; waits for a worker, or the worker prepares it.
    Starting,
    /// Its process runs.
    Running,
    /// Its end was requested.
    Stopping,
    /// It was stopped.
    Stopped,
    /// It ended well.
    Succeeded,
    /// It failed, or was refused by the job's MaxConcurrentRuns.
    Failed,
    /// It ran longer than its Timeout.
    Timeout,
    /// A trigger tried to run a job that does not exist.
    Error,
}

impl JobRunState {
    /// Whether the job run has ended: it never changes state again.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Waiting | Self::Starting | Self::Running | Self::Stopping => false,
            Self::Stopped | Self::Succeeded | Self::Failed | Self::Timeout | Self::Error => true,
        }
    }
}

/// The states of a crawl inside a workflow run (`Glue API: CrawlState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrawlState {
    /// The crawl runs.
    Running,
    /// Its end was requested.
    Cancelling,
    /// It was stopped.
    Cancelled,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// A trigger tried to run a crawler that does not exist.
    Error,
}

/// How an activation of a node ended: what conditions look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndState {
    /// A job run's last attempt ended in this state.
    Job(JobRunState),
    /// A crawl ended in this state.
    Crawl(CrawlState),
}
