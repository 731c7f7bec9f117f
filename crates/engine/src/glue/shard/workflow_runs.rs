//! Workflow runs start, go on when something ends, and end.

use std::{collections::BTreeMap, sync::Arc};

use treenail_planted::{Bug, is_planted};

use super::{NodeEnd, Shard};
use crate::{
    Timestamp,
    glue::{
        history::{Cause, EventKind},
        input::{Rejected, Reply},
        output::{Effect, Output},
        plan::{TriggerKind, WorkflowPlan},
        run::{RunRecord, StartingBatch, Statistics, WorkflowRun},
        state::RunStatus,
    },
    ids::WorkflowRunId,
};

/// How a run begins.
pub(super) struct Beginning {
    cause: Cause,
    /// The properties, laid over the workflow's.
    properties: BTreeMap<String, String>,
    /// What filled the batch of events that starts it.
    starting: Option<StartingBatch>,
}

impl Beginning {
    pub(super) fn new(cause: Cause, properties: BTreeMap<String, String>) -> Self {
        Self {
            cause,
            properties,
            starting: None,
        }
    }

    pub(super) fn with_batch(self, starting: Option<StartingBatch>) -> Self {
        Self { starting, ..self }
    }
}

impl Shard {
    /// `Glue API: StartWorkflowRun`.
    pub(super) fn call_workflow(
        &mut self,
        now: Timestamp,
        workflow: &str,
        properties: BTreeMap<String, String>,
        out: &mut Output,
    ) -> Result<Reply, Rejected> {
        self.check_workflow_limit(workflow)?;
        Ok(Reply::WorkflowRun(self.start_workflow_run(
            now,
            workflow,
            Beginning::new(Cause::Call, properties),
            out,
        )))
    }

    /// `Glue API: StartTrigger` of an ON_DEMAND trigger.
    pub(super) fn fire_on_demand(
        &mut self,
        now: Timestamp,
        workflow: Option<&str>,
        trigger: &str,
        out: &mut Output,
    ) -> Result<Reply, Rejected> {
        let Some(workflow) = workflow else {
            return self.fire_standalone(now, trigger, out);
        };
        let known = self.workflows.get(workflow).ok_or(Rejected::NoWorkflow)?;
        let is_on_demand = |kind: &TriggerKind| matches!(kind, TriggerKind::OnDemand);
        if !known
            .plan
            .trigger(trigger)
            .is_some_and(|trigger| is_on_demand(&trigger.kind))
        {
            return Err(Rejected::NoTrigger(trigger.to_owned()));
        }
        self.check_workflow_limit(workflow)?;
        Ok(Reply::WorkflowRun(self.start_workflow_run(
            now,
            workflow,
            Beginning::new(Cause::OnDemand, BTreeMap::new()),
            out,
        )))
    }

    /// Starts a run that nobody waits for.
    pub(super) fn start_unattended(&mut self, now: Timestamp, workflow: &str, cause: Cause, out: &mut Output) {
        self.start_or_refuse(now, workflow, Beginning::new(cause, BTreeMap::new()), out);
    }

    /// Starts a run, or leaves a run in state ERROR when the workflow is at its limit: nobody is there who could be
    /// told (`Glue API: WorkflowRun.ErrorMessage`).
    pub(super) fn start_or_refuse(
        &mut self,
        now: Timestamp,
        workflow: &str,
        beginning: Beginning,
        out: &mut Output,
    ) -> Option<WorkflowRunId> {
        if self.check_workflow_limit(workflow).is_ok() {
            return Some(self.start_workflow_run(now, workflow, beginning, out));
        }
        let plan = Arc::clone(&self.workflows.get(workflow)?.plan);
        let Beginning {
            properties,
            cause,
            starting,
        } = beginning;
        let mut run = self.new_run(now, &plan, properties);
        run.record.starting_batch = starting;
        run.record.status = RunStatus::Error;
        run.record.completed_at = Some(now);
        run.record.error = Some(format!("Concurrent runs exceeded for workflow: {workflow}."));
        run.tell(now, EventKind::Refused(cause), out);
        // Its properties can be read like those of every run; nothing waits for them.
        out.effects.push(run.seed_effect());
        out.changes.runs.insert(run.record.id, run.record.clone());
        self.refused.insert(run.record.id, run);
        None
    }

    pub(super) fn check_workflow_limit(&self, workflow: &str) -> Result<(), Rejected> {
        let known = self.workflows.get(workflow).ok_or(Rejected::NoWorkflow)?;
        match known.plan.max_concurrent_runs {
            Some(limit) if known.running >= limit + u32::from(is_planted(Bug::WorkflowLimitOffByOne)) => {
                Err(Rejected::WorkflowAtLimit(workflow.to_owned()))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The run's properties are in place: the start trigger fires, or the nodes to resume start.
    pub(super) fn seeded(&mut self, now: Timestamp, id: WorkflowRunId, out: &mut Output) {
        if let Some(mut refused) = self.refused.remove(&id) {
            refused.record.is_seeded = true;
            refused.record.seed.clear();
            out.changes.runs.insert(id, refused.record);
            return;
        }
        let Some(run) = self.runs.get_mut(&id).filter(|run| !run.record.is_seeded) else {
            return;
        };
        run.record.is_seeded = true;
        run.record.seed.clear();
        run.tell(now, EventKind::PropertiesSeeded, out);
        out.effects.push(Effect::RunReady(id));
        if run.record.status == RunStatus::Running {
            if run.record.previous.is_some() {
                self.start_roots(now, id, out);
            } else if let Some(trigger) = run.plan.start_trigger() {
                self.fire(now, id, trigger, out);
            }
        }
        self.work.touched.insert(id);
    }

    /// A node of a run has ended: its triggers may fire, and the run may end.
    pub(super) fn node_ended(&mut self, now: Timestamp, ended: NodeEnd, out: &mut Output) {
        let NodeEnd {
            run: id,
            node,
            end,
            job_run,
        } = ended;
        let Some(run) = self.runs.get_mut(&id) else { return };
        self.work.touched.insert(id);
        if run.record.status != RunStatus::Running && !is_planted(Bug::StopRace) {
            return;
        }
        for (trigger, condition) in run.meet_conditions(node, end, job_run) {
            let trigger = run.plan.triggers[trigger].name.clone();
            run.tell(
                now,
                EventKind::ConditionMet {
                    trigger,
                    condition,
                    end,
                },
                out,
            );
        }
        // A trigger that watches the node is looked at even when this end met none of its conditions: in a resumed
        // run, what was copied may be all that it waits for.
        let watchers: Vec<usize> = run
            .plan
            .graph
            .watchers(node)
            .iter()
            .map(|(trigger, _)| *trigger)
            .collect();
        for trigger in watchers {
            if self.runs.get(&id).is_some_and(|run| run.is_ready(trigger)) {
                self.fire(now, id, trigger, out);
            }
        }
    }

    /// Ends a run that has nothing left to wait for; writes it in any case.
    pub(super) fn settle(&mut self, now: Timestamp, id: WorkflowRunId, out: &mut Output) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        if run.active > 0 || !run.record.is_seeded {
            out.changes.runs.insert(id, run.record.clone());
            return;
        }
        run.record.status = if run.record.status == RunStatus::Stopping {
            RunStatus::Stopped
        } else {
            RunStatus::Completed
        };
        run.record.completed_at = Some(now.max(run.record.last_event_at));
        run.tell(now, EventKind::Ended(run.record.status), out);
        let run = self.runs.remove(&id).expect("looked up above");
        let workflow = self
            .workflows
            .get_mut(&run.plan.name)
            .filter(|workflow| workflow.plan.uid == run.plan.uid);
        let is_orphan = workflow.is_none();
        if let Some(workflow) = workflow {
            workflow.running -= 1;
        }
        out.effects.push(Effect::RunEnded { run: id, is_orphan });
        out.changes.runs.insert(id, run.record);
    }

    fn start_workflow_run(
        &mut self,
        now: Timestamp,
        workflow: &str,
        beginning: Beginning,
        out: &mut Output,
    ) -> WorkflowRunId {
        let plan = Arc::clone(&self.workflows[workflow].plan);
        let Beginning {
            properties,
            cause,
            starting,
        } = beginning;
        let mut run = self.new_run(now, &plan, properties);
        run.record.starting_batch = starting;
        self.admit(now, run, cause, out)
    }

    /// Counts a new run against its workflow's limit and asks for its properties.
    pub(super) fn admit(
        &mut self,
        now: Timestamp,
        mut run: WorkflowRun,
        cause: Cause,
        out: &mut Output,
    ) -> WorkflowRunId {
        let id = run.record.id;
        self.workflows
            .get_mut(&run.plan.name)
            .expect("checked by the caller")
            .running += 1;
        run.tell(now, EventKind::Started(cause), out);
        out.effects.push(run.seed_effect());
        out.changes.runs.insert(id, run.record.clone());
        self.runs.insert(id, run);
        id
    }

    pub(super) fn new_run(
        &mut self,
        now: Timestamp,
        plan: &Arc<WorkflowPlan>,
        properties: BTreeMap<String, String>,
    ) -> WorkflowRun {
        let mut seed = plan.default_run_properties.clone();
        seed.extend(properties);
        let total = u32::try_from(plan.graph.components()).unwrap_or(u32::MAX);
        let record = RunRecord {
            id: self.ids.workflow_run(now),
            workflow_uid: plan.uid.clone(),
            plan_sequence: plan.sequence,
            previous: None,
            started_at: now,
            completed_at: None,
            status: RunStatus::Running,
            error: None,
            starting_batch: None,
            statistics: Statistics {
                total,
                ..Statistics::default()
            },
            is_seeded: false,
            seed,
            roots: Vec::new(),
            root_triggers: Vec::new(),
            events: 0,
            last_event_at: now,
        };
        WorkflowRun::new(record, Arc::clone(plan))
    }
}

impl WorkflowRun {
    pub(super) fn seed_effect(&self) -> Effect {
        Effect::Seed {
            run: self.record.id,
            workflow: self.plan.name.clone(),
            copy_from: self.record.previous,
            properties: self.record.seed.clone(),
        }
    }
}
