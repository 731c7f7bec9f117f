//! Why a run is as it is: what its nodes wait for, why a trigger did not fire, why it ended as it did.
//!
//! Everything follows from what is stored: the run's record, the plan that it keeps, what ran in its nodes and its history.

mod sentence;

use std::collections::BTreeMap;

use super::{
    graph::Node,
    history::{Cause, EventKind, HistoryEvent},
    job_run::{JobRun, Origin},
    plan::{Condition, Logical, TriggerKind, TriggerPlan, WorkflowPlan},
    run::{CopiedRun, RunRecord},
    state::{EndState, JobRunState, RunStatus},
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
    /// Runs of its jobs that others started while it ran: job, id and state.
    pub outside: &'a [(String, JobRunId, JobRunState)],
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
        /// The nodes' names, and how they ended.
        nodes: Vec<(String, EndState)>,
    },
    /// These never ran.
    NeverRan {
        /// The nodes' names.
        nodes: Vec<String>,
    },
    /// An attempt of a job.
    Attempt(Attempt),
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
        /// What met its conditions.
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
        /// How many there may be.
        limit: u32,
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
    },
    /// A worker was asked to end it.
    Stops,
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
    },
}

/// How what a condition watches stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has not run.
    NotStarted,
    /// It has not ended.
    Going(JobRunState),
    /// It ended in another way.
    EndedAs(EndState),
    /// It ended as it should, in a run of the job that this workflow run did not start.
    Outside(JobRunId),
}

impl Known<'_> {
    /// Why the run is as it is.
    #[must_use]
    pub fn run(&self) -> Vec<Finding> {
        let mut findings = self.beginning();
        let status = self.record.status;
        if status == RunStatus::Error {
            return findings;
        }
        if !self.record.is_seeded {
            findings.push(Finding::WaitsForProperties);
        }
        if self.plan.start_trigger().is_none() && self.record.previous.is_none() {
            findings.push(Finding::NothingToDo);
        }
        findings.extend(self.stop_requested().map(|at| Finding::StopRequested { at }));
        let going = self.job_runs.iter().filter(|run| !run.is_settled());
        findings.extend(going.map(|run| self.attempt(run)).map(Finding::Attempt));
        if let Some(at) = self.record.completed_at {
            findings.push(Finding::Ended { status, at });
            findings.extend(self.failures());
            findings.extend(self.never_ran());
        }
        findings
    }

    /// Why a node is as it is; jobs, crawlers and triggers have their nodes.
    #[must_use]
    pub fn node(&self, name: &str) -> Vec<Finding> {
        let found = self.plan.graph.nodes.iter().position(|node| node.name() == name);
        match found.map(|index| (index, &self.plan.graph.nodes[index])) {
            None => vec![Finding::NoSuchNode { node: name.to_owned() }],
            Some((_, Node::Trigger { name, .. })) => {
                let index = self.plan.triggers.iter().position(|trigger| trigger.name == *name);
                index.map_or_else(Vec::new, |index| self.trigger(index))
            }
            Some((index, Node::Component(_))) => self.component(index, name),
        }
    }

    fn beginning(&self) -> Vec<Finding> {
        let beginning = self.events.iter().find_map(|event| match &event.kind {
            EventKind::Started(cause) => Some(Finding::Started {
                cause: cause.clone(),
                at: event.at,
            }),
            EventKind::Refused(cause) => Some(Finding::Refused {
                cause: cause.clone(),
                at: event.at,
                limit: self.plan.max_concurrent_runs,
            }),
            _ => None,
        });
        beginning.into_iter().collect()
    }

    fn stop_requested(&self) -> Option<Timestamp> {
        let mut events = self.events.iter();
        events
            .find(|event| event.kind == EventKind::StopRequested)
            .map(|event| event.at)
    }

    fn failures(&self) -> Option<Finding> {
        let failed = |end: &EndState| match end {
            EndState::Job(state) => !matches!(state, JobRunState::Succeeded),
            EndState::Crawl(_) => true,
        };
        let nodes: Vec<_> = self.ends().into_iter().filter(|(_, end)| failed(end)).collect();
        (!nodes.is_empty()).then_some(Finding::Failures { nodes })
    }

    fn never_ran(&self) -> Option<Finding> {
        let ran = |index: usize| self.of_node(index).next().is_some() || self.copied.contains_key(&index);
        let is_silent = |(index, node): &(usize, &Node)| {
            matches!(node, Node::Component(_)) && !ran(*index) && self.crawl_of(*index).is_none()
        };
        let nodes = self.plan.graph.nodes.iter().enumerate().filter(is_silent);
        let nodes: Vec<String> = nodes.map(|(_, node)| node.name().to_owned()).collect();
        (!nodes.is_empty()).then_some(Finding::NeverRan { nodes })
    }

    /// A job or crawler: its attempts, or why there are none.
    fn component(&self, index: usize, name: &str) -> Vec<Finding> {
        let attempts: Vec<Finding> = self
            .of_node(index)
            .map(|run| Finding::Attempt(self.attempt(run)))
            .collect();
        if !attempts.is_empty() {
            return attempts;
        }
        if let (true, Some(previous)) = (self.copied.contains_key(&index), self.record.previous) {
            let node = name.to_owned();
            return vec![Finding::Copied { node, previous }];
        }
        let starts_it = |trigger: &usize| self.plan.graph.starts(*trigger).contains(&index);
        let triggers = (0..self.plan.triggers.len()).filter(starts_it);
        triggers.flat_map(|trigger| self.trigger(trigger)).collect()
    }

    fn trigger(&self, index: usize) -> Vec<Finding> {
        let trigger = &self.plan.triggers[index];
        let name = trigger.name.clone();
        let fired = self.events.iter().find_map(|event| match &event.kind {
            EventKind::TriggerFired { trigger } if *trigger == name => Some(event.at),
            _ => None,
        });
        if let Some(at) = fired {
            let because = self.met(index);
            return vec![Finding::Fired {
                trigger: name,
                at,
                because,
            }];
        }
        let TriggerKind::Conditional(predicate) = &trigger.kind else {
            return self.start_trigger(trigger);
        };
        if !trigger.activated {
            return vec![Finding::NotActivated { trigger: name }];
        }
        if self.record.previous.is_some() && !self.is_downstream(index) {
            return vec![Finding::Upstream { trigger: name }];
        }
        let watched = predicate.conditions.iter().zip(self.plan.graph.watches(index));
        let open = watched.filter_map(|(condition, node)| Some((condition.clone(), self.standing(condition, *node)?)));
        let mut findings = vec![Finding::Open {
            trigger: name.clone(),
            needs_all: predicate.logical == Logical::And,
            conditions: open.collect(),
        }];
        match self.record.status {
            RunStatus::Stopping | RunStatus::Stopped => findings.push(Finding::AfterStop { trigger: name }),
            RunStatus::Completed => findings.push(Finding::NothingLeft { trigger: name }),
            RunStatus::Running | RunStatus::Error => {}
        }
        findings
    }

    fn start_trigger(&self, trigger: &TriggerPlan) -> Vec<Finding> {
        let trigger = trigger.name.clone();
        match (self.record.previous, self.record.is_seeded) {
            (Some(_), _) => vec![Finding::Upstream { trigger }],
            (None, false) => vec![Finding::WaitsForProperties],
            (None, true) => vec![Finding::AfterStop { trigger }],
        }
    }

    /// How a condition stands that is not met; `None` for one that is.
    fn standing(&self, condition: &Condition, node: usize) -> Option<Standing> {
        let end = self.end_of(node);
        if end.is_some_and(|end| condition.holds(end)) {
            return None;
        }
        let outside = |condition: &Condition| {
            let Condition::Job(job, wanted) = condition else {
                return None;
            };
            let mut outside = self.outside.iter();
            outside
                .find(|(name, _, state)| name == job && state == wanted)
                .map(|(_, id, _)| Standing::Outside(*id))
        };
        let going = self.of_node(node).find(|run| !run.is_settled());
        Some(match (end, going) {
            (_, Some(run)) => Standing::Going(run.state),
            (Some(end), None) => Standing::EndedAs(end),
            (None, None) => outside(condition).unwrap_or(Standing::NotStarted),
        })
    }

    /// What met the conditions of a trigger that fired, as the history tells.
    fn met(&self, index: usize) -> Vec<(String, EndState)> {
        let trigger = &self.plan.triggers[index].name;
        let watches = self.plan.graph.watches(index);
        let met = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::ConditionMet {
                trigger: name,
                condition,
                end,
            } if name == trigger => {
                let node = self.plan.graph.nodes.get(*watches.get(*condition)?)?;
                Some((node.name().to_owned(), *end))
            }
            _ => None,
        });
        met.collect()
    }

    fn attempt(&self, run: &JobRun) -> Attempt {
        let was_lost = || {
            let mut events = self.events.iter();
            events.any(|event| event.kind == EventKind::JobRunRequeued { job_run: run.id })
        };
        let stands = match (run.state, run.retry_at) {
            (_, Some(at)) => AttemptStanding::Retries {
                at,
                error: run.error.clone(),
            },
            (JobRunState::Waiting, None) => AttemptStanding::WaitsForSlot {
                limit: run.spec.plan.as_ref().map_or(0, |plan| plan.max_concurrent_runs),
            },
            (JobRunState::Starting, None) => match &run.lease {
                Some(worker) => AttemptStanding::HandedOut { worker: worker.clone() },
                None => AttemptStanding::WaitsForWorker { was_lost: was_lost() },
            },
            (JobRunState::Running, None) => AttemptStanding::Runs {
                since: run.running_since.unwrap_or(run.started_at),
            },
            (JobRunState::Stopping, None) => AttemptStanding::Stops,
            (state, None) => AttemptStanding::Ended {
                state,
                at: run.completed_at.unwrap_or(run.modified_at),
                error: run.error.clone(),
            },
        };
        Attempt {
            job: run.spec.job_name.clone(),
            job_run: run.id,
            trigger: run.spec.trigger_name.clone(),
            stands,
        }
    }

    fn ends(&self) -> Vec<(String, EndState)> {
        let nodes = self.plan.graph.nodes.iter().enumerate();
        nodes
            .filter_map(|(index, node)| Some((node.name().to_owned(), self.own_end_of(index)?)))
            .collect()
    }

    fn end_of(&self, node: usize) -> Option<EndState> {
        let copied = || self.copied.get(&node)?.iter().rev().find_map(CopiedRun::end);
        self.own_end_of(node).or_else(copied)
    }

    fn own_end_of(&self, node: usize) -> Option<EndState> {
        let last = self.of_node(node).last();
        let job = last.filter(|run| run.is_settled()).map(|run| EndState::Job(run.state));
        job.or_else(|| self.crawl_of(node))
    }

    fn crawl_of(&self, node: usize) -> Option<EndState> {
        self.events.iter().rev().find_map(|event| match event.kind {
            EventKind::CrawlEnded { node: of, end } if of == node => Some(end),
            _ => None,
        })
    }

    fn of_node(&self, node: usize) -> impl Iterator<Item = &JobRun> {
        let is_of_node =
            move |run: &&JobRun| matches!(run.spec.origin, Origin::Workflow { node: of, .. } if of == node);
        self.job_runs.iter().filter(is_of_node)
    }

    fn is_downstream(&self, trigger: usize) -> bool {
        let downstream = self.plan.graph.downstream(self.record.roots.iter().copied());
        downstream.triggers.contains(&trigger)
    }
}
