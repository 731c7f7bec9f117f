//! Why a trigger fired, or did not.

use std::collections::{BTreeSet, VecDeque};

use super::{Finding, Reader, Standing};
use crate::{
    glue::{
        plan::{Condition, Logical, Predicate, TriggerKind},
        run::CopiedRun,
        state::{EndState, RunStatus},
    },
    ids::JobRunId,
};

/// How many triggers are told of when one waits for what another one would start.
const TRIGGERS_TOLD_MAX: usize = 20;

impl Reader<'_> {
    /// Tells of triggers, and of those that would have to fire before them.
    pub(super) fn triggers(&self, asked: Vec<usize>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut told = BTreeSet::new();
        let mut open = VecDeque::from(asked);
        let mut first_open = None;
        while let Some(trigger) = open.pop_front() {
            if told.len() == TRIGGERS_TOLD_MAX {
                break;
            }
            if !told.insert(trigger) {
                continue;
            }
            let finding = self.trigger(trigger);
            if let Finding::Open { trigger: name, .. } = &finding {
                first_open.get_or_insert_with(|| name.clone());
                let silent = self.never_started(trigger).take(TRIGGERS_TOLD_MAX);
                open.extend(silent.flat_map(|node| self.starters(node)));
            }
            findings.push(finding);
        }
        if let Some(trigger) = first_open {
            match self.known.record.status {
                RunStatus::Stopping | RunStatus::Stopped => findings.push(Finding::AfterStop { trigger }),
                RunStatus::Completed => findings.push(Finding::NothingLeft { trigger }),
                RunStatus::Running | RunStatus::Error => {}
            }
        }
        findings
    }

    /// That a trigger fired, if it did.
    pub(super) fn fired(&self, trigger: usize) -> Option<Finding> {
        let name = &self.known.plan.triggers[trigger].name;
        Some(Finding::Fired {
            trigger: name.clone(),
            at: self.index.fired(name)?,
            because: self.met(trigger),
        })
    }

    fn trigger(&self, index: usize) -> Finding {
        if let Some(fired) = self.fired(index) {
            return fired;
        }
        let plan = &self.known.plan.triggers[index];
        let trigger = plan.name.clone();
        match &plan.kind {
            TriggerKind::OnDemand | TriggerKind::Scheduled(_) | TriggerKind::Event(_) => self.start_trigger(trigger),
            TriggerKind::Conditional(_) if !plan.activated => Finding::NotActivated { trigger },
            TriggerKind::Conditional(_) if self.is_upstream(index) => Finding::Upstream { trigger },
            TriggerKind::Conditional(predicate) => self.conditional(index, trigger, predicate),
        }
    }

    /// A start trigger that did not fire.
    fn start_trigger(&self, trigger: String) -> Finding {
        if self.known.record.previous.is_some() {
            Finding::Upstream { trigger }
        } else if self.index.stop().is_some() {
            Finding::AfterStop { trigger }
        } else {
            Finding::WaitsForProperties
        }
    }

    /// A conditional trigger that can fire and did not.
    fn conditional(&self, index: usize, trigger: String, predicate: &Predicate) -> Finding {
        let watched = predicate.conditions.iter().zip(self.known.plan.graph.watches(index));
        let unmet = watched
            .enumerate()
            .filter(|(position, _)| !self.is_met(index, *position));
        let unmet = unmet.map(|(_, (condition, node))| (condition.clone(), self.standing(condition, *node)));
        let conditions: Vec<_> = unmet.collect();
        let suffices = match predicate.logical {
            Logical::And => conditions.is_empty(),
            Logical::Any => conditions.len() < predicate.conditions.len(),
        };
        match (suffices, self.index.stop()) {
            (true, Some(_)) => Finding::AfterStop { trigger },
            (true, None) => Finding::NothingAnew { trigger },
            (false, _) => Finding::Open {
                trigger,
                needs_all: predicate.logical == Logical::And,
                conditions,
            },
        }
    }

    /// The nodes that an open trigger watches and that nothing has started.
    fn never_started(&self, trigger: usize) -> impl Iterator<Item = usize> {
        let nodes = self.known.plan.graph.watches(trigger).iter().copied();
        nodes.filter(|node| {
            let is_silent = self.index.job_runs(*node).is_empty() && self.own_end(*node).is_none();
            is_silent && self.copied_ends(*node).next().is_none()
        })
    }

    /// How a condition stands that is not met.
    fn standing(&self, condition: &Condition, node: usize) -> Standing {
        let going = self.index.job_runs(node).iter().find(|run| !run.is_settled());
        if let Some(run) = going {
            return Standing::Going(self.attempt(run));
        }
        let end = self.own_end(node).or_else(|| self.copied_ends(node).next_back());
        match (end, self.outside(condition)) {
            (Some(end), _) if condition.holds(end) => Standing::TooLate(end),
            (own, Some(job_run)) => Standing::Outside { job_run, own },
            (Some(end), None) => Standing::EndedAs {
                end,
                job_run: self.last_job_run(node),
            },
            (None, None) => Standing::NotStarted,
        }
    }

    fn last_job_run(&self, node: usize) -> Option<JobRunId> {
        let own = self.index.job_runs(node).last().map(|run| run.id);
        let copied = || match self.known.copied.get(&node)?.last()? {
            CopiedRun::Job { id, .. } => Some(*id),
            CopiedRun::Crawl { .. } => None,
        };
        own.or_else(copied)
    }

    /// A run of a condition's job that ended as it should and that this workflow run did not start.
    fn outside(&self, condition: &Condition) -> Option<JobRunId> {
        let Condition::Job(job, wanted) = condition else {
            return None;
        };
        let mut outside = self.known.outside.iter();
        let found = outside.find(|(name, _, state)| name == job && state == wanted);
        found.map(|(_, id, _)| *id)
    }

    /// What met the conditions of a trigger: each once, in their order.
    fn met(&self, trigger: usize) -> Vec<(String, EndState)> {
        let watches = self.known.plan.graph.watches(trigger).iter().enumerate();
        let met = watches.filter_map(|(condition, node)| {
            let end = self.met_by(trigger, condition)?;
            Some((self.known.plan.graph.nodes[*node].name().to_owned(), end))
        });
        met.collect()
    }

    fn is_met(&self, trigger: usize, condition: usize) -> bool {
        self.met_by(trigger, condition).is_some()
    }

    /// What met a condition: an end that the history tells of, or one that a resumed run took over.
    fn met_by(&self, trigger: usize, condition: usize) -> Option<EndState> {
        let plan = &self.known.plan.triggers[trigger];
        let TriggerKind::Conditional(predicate) = &plan.kind else {
            return None;
        };
        let node = self.known.plan.graph.watches(trigger)[condition];
        let copied = || {
            self.copied_ends(node)
                .find(|end| predicate.conditions[condition].holds(*end))
        };
        self.index.met(&plan.name, condition).or_else(copied)
    }

    /// Whether a trigger of a resumed run does not lie downstream of what was restarted.
    fn is_upstream(&self, trigger: usize) -> bool {
        let record = self.known.record;
        let downstream = || self.known.plan.graph.downstream(record.roots.iter().copied());
        record.previous.is_some() && !downstream().triggers.contains(&trigger)
    }
}
