//! What must hold between any two steps.

use std::collections::BTreeMap;

use super::Shard;
use crate::glue::{
    run::{Statistics, WorkflowRun},
    state::JobRunState,
};

impl Shard {
    /// Recounts what is kept as counts, and says the first thing that is not as it must be.
    ///
    /// # Errors
    ///
    /// A sentence that names what is wrong: always a bug in this crate.
    pub fn check_invariants(&self) -> Result<(), String> {
        ensure(self.work.ended.is_empty() && self.work.touched.is_empty(), || {
            "a step left work undone".to_owned()
        })?;
        self.check_slots()?;
        for (name, workflow) in &self.workflows {
            let running = self
                .runs
                .values()
                .filter(|run| run.plan.uid == workflow.plan.uid)
                .count();
            ensure(workflow.running as usize == running, || {
                format!("workflow {name} counts {} of {running} runs", workflow.running)
            })?;
        }
        for run in self.runs.values() {
            self.check_run(run)?;
        }
        for (id, chain) in &self.chains {
            let of_chain = |origin| matches!(origin, crate::glue::Origin::Chain(other) if other == *id);
            let active = self.job_runs.values().filter(|run| of_chain(run.spec.origin)).count();
            ensure(chain.active as usize == active && active > 0, || {
                format!("{id} counts {} of {active} runs", chain.active)
            })?;
        }
        Ok(())
    }

    /// The first part in which two shards differ, apart from where their ids come from: none between a shard and the one
    /// that is rebuilt from its rows.
    #[must_use]
    pub fn difference_from(&self, other: &Self) -> Option<String> {
        macro_rules! compare {
            ($($part:ident),*) => {
                $(if self.$part != other.$part {
                    return Some(format!("{}: {:#?}\nand {:#?}", stringify!($part), self.$part, other.$part));
                })*
            };
        }
        compare!(
            jobs, slots, workflows, triggers, watchers, runs, refused, chains, job_runs, timers, work
        );
        None
    }

    fn check_slots(&self) -> Result<(), String> {
        let mut taken: BTreeMap<&str, u32> = BTreeMap::new();
        for run in self.job_runs.values().filter(|run| run.state != JobRunState::Waiting) {
            if let Some(plan) = &run.spec.plan {
                *taken.entry(&plan.uid).or_default() += 1;
            }
        }
        let counted: BTreeMap<&str, u32> = self
            .slots
            .iter()
            .filter(|(_, slots)| slots.taken > 0)
            .map(|(uid, slots)| (uid.as_str(), slots.taken))
            .collect();
        ensure(taken == counted, || {
            format!("slots are {counted:?} and must be {taken:?}")
        })
    }

    fn check_run(&self, run: &WorkflowRun) -> Result<(), String> {
        let id = run.record.id;
        let live = run
            .nodes
            .iter()
            .flat_map(|node| &node.job_runs)
            .filter(|id| self.job_runs.contains_key(id))
            .count();
        ensure(run.active as usize == live, || {
            format!("{id} counts {} of {live} job runs", run.active)
        })?;
        ensure(!run.record.status.is_terminal(), || {
            format!("{id} has ended and is still here")
        })?;
        let Statistics {
            total,
            timeout,
            failed,
            stopped,
            succeeded,
            running,
            errored,
            waiting,
        } = run.record.statistics;
        let started: u32 = timeout + failed + stopped + succeeded + running + errored + waiting;
        ensure(started <= total, || {
            format!("{id} started {started} of {total} actions")
        })
    }
}

fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(sentence()) }
}
