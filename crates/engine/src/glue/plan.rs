//! Definitions as the engine needs them: parsed once at the border, never checked again.

use std::{collections::BTreeMap, sync::Arc};

use treenail_schedule::AwsCron;

use super::{
    graph::{Graph, TriggerShape},
    state::{Component, CrawlState, EndState, JobRunState},
};

/// A workflow, ready to run. A run keeps the plan it was started with.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowPlan {
    /// The identity of this creation of the workflow.
    pub uid: String,
    /// Orders the plans of one workflow.
    pub sequence: u64,
    /// The workflow's name.
    pub name: String,
    /// How many runs may be RUNNING or STOPPING at once; `None` is no limit.
    pub max_concurrent_runs: Option<u32>,
    /// The properties that every run starts with.
    pub default_run_properties: BTreeMap<String, String>,
    /// The workflow's triggers, ordered by name.
    pub triggers: Vec<TriggerPlan>,
    /// The graph that the triggers make.
    pub graph: Graph,
}

impl WorkflowPlan {
    /// The graph that triggers make.
    #[must_use]
    pub fn compile_graph(triggers: &[TriggerPlan]) -> Graph {
        let shapes: Vec<TriggerShape> = triggers.iter().map(TriggerPlan::shape).collect();
        Graph::compile(&shapes)
    }

    /// The position of the trigger that starts the workflow among its triggers.
    #[must_use]
    pub fn start_trigger(&self) -> Option<usize> {
        self.triggers.iter().position(|trigger| trigger.kind.is_start())
    }

    /// The trigger of a name.
    #[must_use]
    pub fn trigger(&self, name: &str) -> Option<&TriggerPlan> {
        self.triggers.iter().find(|trigger| trigger.name == name)
    }
}

/// A trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerPlan {
    /// The identity of this creation of the trigger; empty for a trigger of a workflow.
    pub uid: String,
    /// Orders the plans of one trigger; 0 for a trigger of a workflow.
    pub sequence: u64,
    /// The trigger's name.
    pub name: String,
    /// Whether it is ACTIVATED.
    pub activated: bool,
    /// What makes it fire.
    pub kind: TriggerKind,
    /// What it starts, all at once.
    pub actions: Vec<Action>,
}

impl TriggerPlan {
    /// What the graph needs to know of the trigger.
    #[must_use]
    pub fn shape(&self) -> TriggerShape {
        let conditions = match &self.kind {
            TriggerKind::Conditional(predicate) => predicate.conditions.as_slice(),
            TriggerKind::OnDemand | TriggerKind::Scheduled(_) | TriggerKind::Event(_) => &[],
        };
        TriggerShape {
            name: self.name.clone(),
            is_start: self.kind.is_start(),
            watches: conditions.iter().map(Condition::component).collect(),
            starts: self.actions.iter().map(|action| action.component.clone()).collect(),
        }
    }
}

/// What makes a trigger fire.
#[derive(Debug, Clone, PartialEq)]
pub enum TriggerKind {
    /// StartTrigger, or the start of its workflow.
    OnDemand,
    /// A schedule, while it is ACTIVATED.
    Scheduled(Arc<AwsCron>),
    /// The ends of jobs and crawlers, while it is ACTIVATED.
    Conditional(Predicate),
    /// Events.
    Event(EventBatching),
}

impl TriggerKind {
    /// Whether a trigger of this kind starts its workflow.
    #[must_use]
    pub fn is_start(&self) -> bool {
        match self {
            Self::OnDemand | Self::Scheduled(_) | Self::Event(_) => true,
            Self::Conditional(_) => false,
        }
    }
}

/// How events become runs (`Glue API: EventBatchingCondition`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventBatching {
    /// How many events start a run, 1 to 100.
    pub size: u32,
    /// How many seconds after its first event an incomplete batch starts a run, 1 to 900.
    pub window_seconds: u32,
}

impl EventBatching {
    /// What holds for a trigger without an EventBatchingCondition: each event starts a run.
    pub const EACH: Self = Self {
        size: 1,
        window_seconds: 900,
    };
}

/// When a conditional trigger fires (`Glue API: Predicate`).
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate {
    /// Whether all conditions must hold, or one.
    pub logical: Logical,
    /// The conditions; never empty.
    pub conditions: Vec<Condition>,
}

/// How the conditions of a predicate are joined (`Glue API: Logical`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logical {
    /// All must hold.
    And,
    /// One must hold.
    Any,
}

/// A condition on how a component ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The job must end in the state.
    Job(String, JobRunState),
    /// The crawler must end in the state.
    Crawler(String, CrawlState),
}

impl Condition {
    /// What the condition watches.
    #[must_use]
    pub fn component(&self) -> Component {
        match self {
            Self::Job(name, _) => Component::Job(name.clone()),
            Self::Crawler(name, _) => Component::Crawler(name.clone()),
        }
    }

    /// Whether an end of the watched component in a state fulfils the condition.
    #[must_use]
    pub fn holds(&self, end: EndState) -> bool {
        match (self, end) {
            (Self::Job(_, wanted), EndState::Job(state)) => *wanted == state,
            (Self::Crawler(_, wanted), EndState::Crawl(state)) => *wanted == state,
            (Self::Job(..), EndState::Crawl(_)) | (Self::Crawler(..), EndState::Job(_)) => false,
        }
    }
}

/// What a trigger starts, and with what (`Glue API: Action`).
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// What is started.
    pub component: Component,
    /// The arguments of the job run; `None` when the action names none.
    pub arguments: Option<BTreeMap<String, String>>,
    /// The job run's timeout in minutes, where it is not the job's.
    pub timeout_minutes: Option<u32>,
    /// After how many minutes a job run is reported as delayed, where it is not the job's.
    pub notify_delay_minutes: Option<u32>,
    /// The job run's security configuration, where it is not the job's.
    pub security_configuration: Option<String>,
}

/// A job, ready to run.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPlan {
    /// The identity of this creation of the job.
    pub uid: String,
    /// Orders the plans of one job.
    pub sequence: u64,
    /// The job's name.
    pub name: String,
    /// How many runs may hold a slot at once.
    pub max_concurrent_runs: u32,
    /// How often a FAILED run is tried again.
    pub max_retries: u32,
    /// What runs.
    pub command: Command,
    /// The arguments that a run's own arguments are laid over.
    pub default_arguments: BTreeMap<String, String>,
    /// The arguments that are laid over a run's own.
    pub non_overridable_arguments: BTreeMap<String, String>,
    /// What a run copies when it starts.
    pub settings: Settings,
}

/// What a job runs (`Glue API: JobCommand`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// `glueetl`, `pythonshell`, …
    pub name: Option<String>,
    /// Where the script is.
    pub script_location: Option<String>,
    /// The Python version.
    pub python_version: Option<String>,
    /// The runtime of a Ray job.
    pub runtime: Option<String>,
}

/// The settings of a job that each of its runs copies at its start, and that a start may override.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// How long a run may last, in minutes from when its process started; `None` is no limit.
    pub timeout_minutes: Option<u32>,
    /// After how many minutes a run is reported as delayed.
    pub notify_delay_minutes: Option<u32>,
    /// Whether a run beyond MaxConcurrentRuns waits instead of being refused.
    pub queuing: Option<bool>,
    /// The capacity in data processing units, as old clients know it.
    pub allocated_capacity: Option<i32>,
    /// The capacity in data processing units.
    pub max_capacity: Option<f64>,
    /// The worker type, such as `G.1X`.
    pub worker_type: Option<String>,
    /// The number of workers.
    pub number_of_workers: Option<i32>,
    /// The security configuration's name.
    pub security_configuration: Option<String>,
    /// The Glue version.
    pub glue_version: Option<String>,
    /// `STANDARD` or `FLEX`.
    pub execution_class: Option<String>,
    /// `SCRIPT`, `VISUAL` or `NOTEBOOK`.
    pub job_mode: Option<String>,
    /// When a streaming job may be restarted.
    pub maintenance_window: Option<String>,
    /// The session policy of the run's role.
    pub execution_role_session_policy: Option<String>,
}
