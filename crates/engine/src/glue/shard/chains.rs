//! Triggers outside workflows fire.

use std::sync::Arc;

use super::{Ended, LinkEnd, Shard, actions::Start};
use crate::{
    Timestamp,
    glue::{
        input::{Rejected, Reply},
        job_run::Origin,
        output::Output,
        plan::{Logical, TriggerKind, TriggerPlan},
        state::Component,
    },
    ids::{ChainId, JobRunId},
};

impl Shard {
    /// `Glue API: StartTrigger` of an ON_DEMAND trigger outside workflows.
    pub(super) fn fire_standalone(&mut self, now: Timestamp, name: &str, out: &mut Output) -> Result<Reply, Rejected> {
        let trigger = self.triggers.get(name).map(|trigger| Arc::clone(&trigger.plan));
        let is_on_demand = |plan: &Arc<TriggerPlan>| matches!(plan.kind, TriggerKind::OnDemand);
        let plan = trigger
            .filter(is_on_demand)
            .ok_or_else(|| Rejected::NoTrigger(name.to_owned()))?;
        for action in &plan.actions {
            if let Component::Job(job) = &action.component
                && !self.jobs.contains_key(job)
            {
                return Err(Rejected::NoJob(job.clone()));
            }
        }
        self.start_chain(now, name, out);
        Ok(Reply::Done)
    }

    /// Fires a trigger that begins a chain.
    pub(super) fn start_chain(&mut self, now: Timestamp, trigger: &str, out: &mut Output) {
        let Some(plan) = self.triggers.get(trigger).map(|trigger| Arc::clone(&trigger.plan)) else {
            return;
        };
        let chain = self.ids.chain(now);
        self.chains.entry(chain).or_default();
        self.fire_in_chain(now, chain, &plan, &[], out);
        self.forget_idle_chain(chain);
    }

    /// Something of a chain has ended: conditional triggers that watch it may fire, each once in a chain.
    pub(super) fn link_ended(&mut self, now: Timestamp, ended: &LinkEnd, out: &mut Output) {
        let chain = ended.chain;
        for name in self.watchers.get(&ended.component).cloned().unwrap_or_default() {
            let Some(plan) = self.triggers.get(&name).map(|trigger| Arc::clone(&trigger.plan)) else {
                continue;
            };
            if let Some(predecessors) = self.met_in_chain(&plan, ended) {
                self.fire_in_chain(now, chain, &plan, &predecessors, out);
            }
        }
        self.forget_idle_chain(chain);
    }

    /// Marks what an end meets, and says with which job runs the trigger fires, if it does.
    pub(super) fn met_in_chain(&mut self, plan: &TriggerPlan, ended: &LinkEnd) -> Option<Vec<(String, JobRunId)>> {
        let LinkEnd {
            chain,
            component,
            end,
            job_run,
        } = ended;
        let TriggerKind::Conditional(predicate) = &plan.kind else {
            return None;
        };
        let chain = self
            .chains
            .get_mut(chain)
            .filter(|chain| plan.activated && !chain.fired.contains(&plan.name))?;
        let met = chain.met.entry(plan.name.clone()).or_default();
        for (index, condition) in predicate.conditions.iter().enumerate() {
            if condition.component() == *component && condition.holds(*end) {
                met.entry(index).or_insert(*job_run);
            }
        }
        // A trigger may have lost conditions since they were met.
        met.retain(|index, _| *index < predicate.conditions.len());
        let is_ready = match predicate.logical {
            Logical::And => met.len() == predicate.conditions.len(),
            Logical::Any => !met.is_empty(),
        };
        is_ready.then(|| {
            let job_of = |index: usize| match predicate.conditions[index].component() {
                Component::Job(name) | Component::Crawler(name) => name,
            };
            met.iter()
                .filter_map(|(&index, job_run)| job_run.map(|id| (job_of(index), id)))
                .collect()
        })
    }

    fn fire_in_chain(
        &mut self,
        now: Timestamp,
        chain: ChainId,
        plan: &TriggerPlan,
        predecessors: &[(String, JobRunId)],
        out: &mut Output,
    ) {
        if let Some(known) = self.chains.get_mut(&chain) {
            known.fired.insert(plan.name.clone());
            known.met.remove(&plan.name);
        }
        for action in &plan.actions {
            let start = Start {
                action,
                origin: Origin::Chain(chain),
                trigger_name: Some(plan.name.clone()),
                predecessors: predecessors.to_vec(),
            };
            self.start_action(now, start, out);
        }
    }

    /// Forgets a chain in which nothing runs and nothing can start any more.
    fn forget_idle_chain(&mut self, chain: ChainId) {
        let has_work = self
            .work
            .ended
            .iter()
            .any(|ended| matches!(ended, Ended::Link(link) if link.chain == chain));
        if !has_work && self.chains.get(&chain).is_some_and(|chain| chain.active == 0) {
            self.chains.remove(&chain);
        }
    }
}
