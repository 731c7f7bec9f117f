//! A world around a shard: it keeps the rows, answers the effects, and can lose the shard and rebuild it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use treenail_engine::{
    Timestamp,
    glue::{
        Action, Command, Component, Condition, CopiedNodes, Crawl, Effect, EventBatch, HistoryEvent, Input, JobPlan,
        JobRun, JobRunState, Logical, Outcome, Output, Policy, Predicate, Rejected, Reply, RunRecord, ScheduleKey,
        Settings, Shard, Snapshot, TriggerKind, TriggerPlan, WorkflowPlan,
    },
    ids::{CrawlId, JobRunId, WorkflowRunId},
    task::WorkerId,
};

pub(crate) const RETRY_DELAY_MS: i64 = 1_000;

/// The world.
pub(crate) struct World {
    pub(crate) shard: Shard,
    pub(crate) now: Timestamp,
    pub(crate) rows: Rows,
    /// The job runs whose processes run, in the order of their starts.
    pub(crate) running: Vec<JobRunId>,
    /// The runs whose properties are not in place yet.
    pub(crate) unseeded: BTreeSet<WorkflowRunId>,
    /// Whether properties are put in place at once, and tasks are started at once.
    pub(crate) is_prompt: bool,
    pub(crate) ready: Vec<JobRunId>,
    sequence: u64,
    restarts: u8,
}

/// What is stored.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) workflows: BTreeMap<String, Arc<WorkflowPlan>>,
    pub(crate) triggers: BTreeMap<String, Arc<TriggerPlan>>,
    pub(crate) jobs: BTreeMap<String, Arc<JobPlan>>,
    pub(crate) plans: BTreeMap<(String, u64), Arc<WorkflowPlan>>,
    pub(crate) runs: BTreeMap<WorkflowRunId, RunRecord>,
    pub(crate) job_runs: BTreeMap<JobRunId, JobRun>,
    pub(crate) crawls: BTreeMap<CrawlId, Crawl>,
    pub(crate) copies: Vec<CopiedNodes>,
    pub(crate) schedules: BTreeMap<ScheduleKey, Timestamp>,
    pub(crate) batches: BTreeMap<String, EventBatch>,
    pub(crate) events: BTreeMap<WorkflowRunId, Vec<HistoryEvent>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            shard: Shard::new("000000000000", "us-east-1", policy(), [1; 32]),
            now: Timestamp::from_millis(1_795_201_200_000),
            rows: Rows::default(),
            running: Vec::new(),
            unseeded: BTreeSet::new(),
            is_prompt: true,
            ready: Vec::new(),
            sequence: 0,
            restarts: 0,
        }
    }

    /// Lets something happen, and all that follows at once.
    pub(crate) fn put(&mut self, input: Input) -> Result<Reply, Rejected> {
        let mut out = Output::default();
        let reply = self.shard.apply(self.now, input, &mut out);
        if reply.is_err() {
            assert_eq!(out, Output::default(), "a refused input has changed something");
        }
        self.take(out);
        self.shard.check_invariants().unwrap();
        reply
    }

    pub(crate) fn advance(&mut self, millis: i64) {
        self.now = self.now.plus_millis(millis);
        self.put(Input::Tick).unwrap();
    }

    pub(crate) fn job(&mut self, name: &str, change: impl FnOnce(&mut JobPlan)) {
        self.sequence += 1;
        let mut plan = JobPlan {
            uid: format!("uid of {name}"),
            sequence: self.sequence,
            name: name.to_owned(),
            max_concurrent_runs: 1,
            max_retries: 0,
            command: Command::default(),
            default_arguments: BTreeMap::new(),
            non_overridable_arguments: BTreeMap::new(),
            settings: Settings::default(),
        };
        change(&mut plan);
        let plan = Arc::new(plan);
        self.rows.jobs.insert(name.to_owned(), Arc::clone(&plan));
        self.put(Input::PublishJob(plan)).unwrap();
    }

    pub(crate) fn workflow(&mut self, name: &str, max_concurrent_runs: Option<u32>, triggers: Vec<TriggerPlan>) {
        self.sequence += 1;
        let plan = Arc::new(WorkflowPlan {
            uid: format!("uid of {name}"),
            sequence: self.sequence,
            name: name.to_owned(),
            max_concurrent_runs,
            default_run_properties: BTreeMap::new(),
            graph: WorkflowPlan::compile_graph(&triggers),
            triggers,
        });
        self.rows
            .plans
            .insert((plan.uid.clone(), plan.sequence), Arc::clone(&plan));
        self.rows.workflows.insert(name.to_owned(), Arc::clone(&plan));
        self.put(Input::PublishWorkflow(plan)).unwrap();
    }

    pub(crate) fn trigger(&mut self, mut plan: TriggerPlan) {
        self.sequence += 1;
        plan.sequence = self.sequence;
        plan.uid = format!("uid of {}", plan.name);
        let plan = Arc::new(plan);
        self.rows.triggers.insert(plan.name.clone(), Arc::clone(&plan));
        self.put(Input::PublishTrigger(plan)).unwrap();
    }

    pub(crate) fn start(&mut self, workflow: &str) -> Result<WorkflowRunId, Rejected> {
        match self.put(Input::StartWorkflowRun {
            workflow: workflow.to_owned(),
            properties: BTreeMap::new(),
        })? {
            Reply::WorkflowRun(run) => Ok(run),
            other => panic!("started {other:?}"),
        }
    }

    /// Ends the oldest running job run of a job.
    pub(crate) fn end(&mut self, job: &str, outcome: Outcome) -> JobRunId {
        let position = self
            .running
            .iter()
            .position(|id| self.rows.job_runs[id].spec.job_name == job);
        let id = self
            .running
            .remove(position.unwrap_or_else(|| panic!("{job} does not run")));
        let token = self.rows.job_runs[&id].token;
        self.put(Input::TaskFinished {
            job_run: id,
            token,
            outcome,
        })
        .unwrap();
        id
    }

    pub(crate) fn succeed(&mut self, job: &str) -> JobRunId {
        self.end(job, Outcome::Succeeded)
    }

    pub(crate) fn fail(&mut self, job: &str) -> JobRunId {
        self.end(job, failed())
    }

    /// The states of all runs of a job, oldest first.
    pub(crate) fn states(&self, job: &str) -> Vec<JobRunState> {
        self.rows
            .job_runs
            .values()
            .filter(|run| run.spec.job_name == job)
            .map(|run| run.state)
            .collect()
    }

    pub(crate) fn run(&self, id: WorkflowRunId) -> &RunRecord {
        &self.rows.runs[&id]
    }

    /// Loses the shard and makes it anew from the rows.
    pub(crate) fn restart(&mut self) {
        let rows = &self.rows;
        let open: Vec<&RunRecord> = rows
            .runs
            .values()
            .filter(|run| !run.status.is_terminal() || !run.is_seeded)
            .collect();
        let plan_of = |run: &RunRecord| Arc::clone(&rows.plans[&(run.workflow_uid.clone(), run.plan_sequence)]);
        let snapshot = Snapshot {
            workflows: rows.workflows.values().cloned().collect(),
            triggers: rows.triggers.values().cloned().collect(),
            jobs: rows.jobs.values().cloned().collect(),
            copies: rows
                .copies
                .iter()
                .filter(|copies| open.iter().any(|run| run.id == copies.run))
                .cloned()
                .collect(),
            runs: open.iter().map(|run| ((*run).clone(), plan_of(run))).collect(),
            job_runs: rows.job_runs.values().cloned().collect(),
            crawls: rows.crawls.values().cloned().collect(),
            schedules: rows.schedules.clone(),
            batches: rows.batches.clone(),
        };
        // No two lives of a server draw the same ids.
        self.restarts = self.restarts.wrapping_add(1);
        let seed = [self.restarts.wrapping_add(1); 32];
        let rebuilt = Shard::rebuild("000000000000", "us-east-1", policy(), seed, snapshot);
        assert_eq!(
            self.shard.difference_from(&rebuilt),
            None,
            "what a restart finds is not what was there"
        );
        self.shard = rebuilt;
        self.shard.check_invariants().unwrap();
        self.unseeded.clear();
        self.ready.clear();
        let effects = self.shard.unfinished_effects();
        self.take(Output {
            effects,
            ..Output::default()
        });
    }

    fn take(&mut self, out: Output) {
        let changes = out.changes;
        for (id, record) in changes.runs {
            let before = self.rows.runs.insert(id, record);
            if let Some(before) = before.filter(|before| before.status.is_terminal() && before.is_seeded) {
                assert_eq!(before, self.rows.runs[&id], "an ended run has changed");
            }
        }
        self.rows.job_runs.extend(changes.job_runs);
        self.rows.crawls.extend(changes.crawls);
        self.rows.copies.extend(changes.copies);
        for (key, next) in changes.schedules {
            match next {
                Some(next) => drop(self.rows.schedules.insert(key, next)),
                None => drop(self.rows.schedules.remove(&key)),
            }
        }
        for (workflow, batch) in changes.batches {
            match batch {
                Some(batch) => drop(self.rows.batches.insert(workflow, batch)),
                None => drop(self.rows.batches.remove(&workflow)),
            }
        }
        for event in changes.events {
            let history = self.rows.events.entry(event.run).or_default();
            assert_eq!(event.sequence, history.len() as u64 + 1, "a history has gaps");
            assert!(
                history.last().is_none_or(|last| last.at <= event.at),
                "a history goes back"
            );
            history.push(event);
        }
        for effect in &out.effects {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: &Effect) {
        match *effect {
            Effect::Seed { run, .. } if self.is_prompt => drop(self.put(Input::Seeded { run }).unwrap()),
            Effect::Seed { run, .. } => drop(self.unseeded.insert(run)),
            Effect::Enqueue(job_run) => {
                self.running.retain(|id| *id != job_run);
                self.ready.push(job_run);
                if self.is_prompt {
                    self.hand_out();
                }
            }
            Effect::Withdraw(job_run) | Effect::JobRunEnded(job_run) => {
                self.ready.retain(|id| *id != job_run);
                self.running.retain(|id| *id != job_run);
            }
            Effect::Cancel { job_run, token, .. } => {
                self.running.retain(|id| *id != job_run);
                self.put(Input::TaskFinished {
                    job_run,
                    token,
                    outcome: Outcome::Cancelled,
                })
                .unwrap();
            }
            Effect::Dispatch { .. } | Effect::RunReady(_) | Effect::RunEnded { .. } => {}
        }
    }

    /// Hands all waiting job runs to a worker, which starts them.
    pub(crate) fn hand_out(&mut self) {
        for job_run in std::mem::take(&mut self.ready) {
            self.put(Input::Leased {
                job_run,
                worker: WorkerId::new("worker"),
            })
            .unwrap();
            let token = self.rows.job_runs[&job_run].token;
            self.put(Input::TaskStarted { job_run, token }).unwrap();
            self.running.push(job_run);
        }
    }
}

pub(crate) fn policy() -> Policy {
    Policy {
        retry_delay_ms: RETRY_DELAY_MS,
        ..Policy::default()
    }
}

pub(crate) fn failed() -> Outcome {
    Outcome::Failed {
        error: "failed".to_owned(),
        detail: None,
    }
}

pub(crate) fn starts(name: &str, jobs: &[&str]) -> TriggerPlan {
    TriggerPlan {
        uid: String::new(),
        sequence: 0,
        name: name.to_owned(),
        activated: false,
        kind: TriggerKind::OnDemand,
        actions: jobs.iter().map(|job| action(job)).collect(),
    }
}

pub(crate) fn when(name: &str, logical: Logical, conditions: &[(&str, JobRunState)], jobs: &[&str]) -> TriggerPlan {
    let conditions = conditions
        .iter()
        .map(|(job, state)| Condition::Job((*job).to_owned(), *state))
        .collect();
    TriggerPlan {
        activated: true,
        kind: TriggerKind::Conditional(Predicate { logical, conditions }),
        ..starts(name, jobs)
    }
}

fn action(job: &str) -> Action {
    Action {
        component: Component::Job(job.to_owned()),
        arguments: None,
        timeout_minutes: None,
        notify_delay_minutes: None,
        security_configuration: None,
    }
}
