//! The traces that runs belong to: those of the requests that started them, remembered until they end.

use std::collections::BTreeMap;

use treenail_engine::{
    glue::{Changes, Effect, Input, JobRun, Origin, Output},
    ids::{ChainId, JobRunId, WorkflowRunId},
};
use treenail_rpc::{Scope, telemetry::TraceContext};

use crate::store::TraceRow;

/// What belongs to a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// A workflow run with all its job runs.
    WorkflowRun(WorkflowRunId),
    /// A job run outside workflows with all its attempts, by the first one.
    JobRun(JobRunId),
}

/// The traces of what has not ended.
#[derive(Debug, Default)]
pub(super) struct Traces {
    open: BTreeMap<Subject, TraceContext>,
}

impl Traces {
    /// Goes on with what an earlier process remembered.
    pub(super) fn restore(&mut self, row: TraceRow) {
        let subject = match (row.id.parse(), row.id.parse()) {
            (Ok(run), _) => Subject::WorkflowRun(run),
            (_, Ok(job_run)) => Subject::JobRun(job_run),
            // Nothing but a trace is lost with it.
            (Err(_), Err(_)) => return,
        };
        self.open.extend(row.context.map(|context| (subject, context)));
    }

    /// Takes note of what a step gave, and for which request; gives what is to be written down.
    pub(super) fn note(&mut self, scope: &Scope, out: &Output, request: Option<&TraceContext>) -> Vec<TraceRow> {
        let mut rows = Vec::new();
        if request.is_none() && self.open.is_empty() {
            return rows;
        }
        let changes = &out.changes;
        for (id, run) in &changes.runs {
            let is_open = !run.status.is_terminal();
            let request = request.filter(|_| out.effects.iter().any(|effect| begins_run(effect, *id)));
            rows.extend(self.change(scope, Subject::WorkflowRun(*id), is_open, request));
        }
        let chains = self.chains(changes);
        let outside = |run: &&JobRun| run.spec.workflow_run().is_none();
        let mut runs = changes.job_runs.values().filter(outside).peekable();
        while let Some(run) = runs.next() {
            let first = run.id.first_attempt();
            // The attempts of a job run follow each other: the last of them tells whether it has ended.
            if runs.peek().is_some_and(|next| next.id.first_attempt() == first) {
                continue;
            }
            let inherited = chain_of(run).and_then(|chain| chains.get(&chain));
            let trace = request.or(inherited).filter(|_| out.effects.iter().any(begins_job_run));
            rows.extend(self.change(scope, Subject::JobRun(first), !run.is_settled(), trace));
        }
        rows
    }

    /// The trace that a job run belongs to.
    pub(super) fn of(&self, run: &JobRun) -> Option<&TraceContext> {
        let subject = match run.spec.workflow_run() {
            Some(id) => Subject::WorkflowRun(id),
            None => Subject::JobRun(run.id.first_attempt()),
        };
        self.open.get(&subject)
    }

    /// The trace of a workflow run.
    pub(super) fn of_run(&self, run: WorkflowRunId) -> Option<&TraceContext> {
        self.open.get(&Subject::WorkflowRun(run))
    }

    fn change(
        &mut self,
        scope: &Scope,
        subject: Subject,
        is_open: bool,
        trace: Option<&TraceContext>,
    ) -> Option<TraceRow> {
        let is_known = self.open.contains_key(&subject);
        let context = match (is_open, is_known) {
            (true, false) => Some(trace?.clone()),
            (false, true) => None,
            (true, true) | (false, false) => return None,
        };
        match &context {
            Some(context) => drop(self.open.insert(subject, context.clone())),
            None => drop(self.open.remove(&subject)),
        }
        Some(TraceRow {
            scope: scope.clone(),
            id: match subject {
                Subject::WorkflowRun(id) => id.to_string(),
                Subject::JobRun(id) => id.to_string(),
            },
            context,
        })
    }

    /// The traces of chains: what follows from a job run of a chain begins in the step in which that one ends.
    fn chains(&self, changes: &Changes) -> BTreeMap<ChainId, TraceContext> {
        let runs = changes.job_runs.values();
        runs.filter_map(|run| Some((chain_of(run)?, self.of(run)?.clone())))
            .collect()
    }
}

/// Whether what an input starts belongs to the trace of the request that brought it.
pub(super) fn starts_something(input: &Input) -> bool {
    match input {
        Input::StartWorkflowRun { .. }
        | Input::ResumeWorkflowRun { .. }
        | Input::StartJobRun { .. }
        | Input::FireTrigger { .. }
        | Input::Notify(_) => true,
        Input::PublishWorkflow(_)
        | Input::PublishTrigger(_)
        | Input::PublishJob(_)
        | Input::DeleteWorkflow { .. }
        | Input::DeleteTrigger { .. }
        | Input::DeleteJob { .. }
        | Input::StopWorkflowRun { .. }
        | Input::StopJobRun { .. }
        | Input::Seeded { .. }
        | Input::Leased { .. }
        | Input::TaskStarted { .. }
        | Input::TaskFinished { .. }
        | Input::LeaseLost { .. }
        | Input::Tick => false,
    }
}

/// Whether a step that nobody asked for starts something.
pub(super) fn has_started(out: &Output) -> bool {
    out.effects
        .iter()
        .any(|effect| matches!(effect, Effect::Seed { .. }) || begins_job_run(effect))
}

/// A run's properties are sown in the step in which it begins.
fn begins_run(effect: &Effect, id: WorkflowRunId) -> bool {
    matches!(effect, Effect::Seed { run, .. } if *run == id)
}

/// A job run waits for a worker from the step on in which it begins.
fn begins_job_run(effect: &Effect) -> bool {
    matches!(effect, Effect::Enqueue(job_run) if job_run.attempt() == 0)
}

fn chain_of(run: &JobRun) -> Option<ChainId> {
    match run.spec.origin {
        Origin::Chain(chain) => Some(chain),
        Origin::Call | Origin::Workflow { .. } => None,
    }
}
