//! Random workflows, outcomes, orders, stops and crashes, against a model that is too simple to be wrong.

use std::collections::BTreeSet;

use proptest::prelude::*;
use treenail_engine::glue::{Input, JobRunState, Logical, Outcome, RunStatus, TriggerKind, TriggerPlan};

use crate::world::{World, failed, starts, when};

const JOBS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[derive(Debug, Clone)]
struct Case {
    triggers: Vec<TriggerPlan>,
    /// Whether each job succeeds.
    succeeds: [bool; JOBS.len()],
    /// Which of the running jobs ends next, and whether the shard is lost before.
    steps: Vec<(usize, bool)>,
    /// Before which step the run is stopped.
    stop_at: Option<usize>,
}

fn case() -> impl Strategy<Value = Case> {
    let job = 0..JOBS.len();
    let condition = (job.clone(), any::<bool>());
    let conditions = proptest::collection::vec(condition, 1..4);
    let actions = proptest::collection::btree_set(job.clone(), 1..3);
    let trigger = (any::<bool>(), conditions, actions, prop::bool::weighted(0.9));
    let first = proptest::collection::btree_set(job, 1..4);
    let steps = proptest::collection::vec((any::<usize>(), prop::bool::weighted(0.2)), 64);
    let stop_at = proptest::option::weighted(0.2, 0..12_usize);
    (
        first,
        proptest::collection::vec(trigger, 0..7),
        any::<[bool; JOBS.len()]>(),
        steps,
        stop_at,
    )
        .prop_map(|(first, conditionals, succeeds, steps, stop_at)| {
            let names = |jobs: &BTreeSet<usize>| jobs.iter().map(|job| JOBS[*job]).collect::<Vec<_>>();
            let mut triggers = vec![starts("start", &names(&first))];
            for (index, (is_and, conditions, actions, activated)) in conditionals.into_iter().enumerate() {
                let logical = if is_and { Logical::And } else { Logical::Any };
                let state = |succeeded: bool| {
                    if succeeded {
                        JobRunState::Succeeded
                    } else {
                        JobRunState::Failed
                    }
                };
                let conditions: Vec<_> = conditions
                    .iter()
                    .map(|(job, wanted)| (JOBS[*job], state(*wanted)))
                    .collect();
                let mut trigger = when(&format!("t{index}"), logical, &conditions, &names(&actions));
                trigger.activated = activated;
                triggers.push(trigger);
            }
            Case {
                triggers,
                succeeds,
                steps,
                stop_at,
            }
        })
}

/// The triggers that fire: those whose conditions hold of the jobs that the others start, again and again.
fn model(case: &Case) -> (BTreeSet<String>, usize) {
    let outcome = |job: &str| {
        let index = JOBS.iter().position(|known| *known == job).unwrap();
        if case.succeeds[index] {
            JobRunState::Succeeded
        } else {
            JobRunState::Failed
        }
    };
    let mut fired = BTreeSet::new();
    let mut ended: BTreeSet<&str> = BTreeSet::new();
    let mut job_runs = 0;
    loop {
        let before = fired.len();
        for trigger in &case.triggers {
            let fires = match &trigger.kind {
                TriggerKind::Conditional(predicate) => {
                    let mut hold = predicate.conditions.iter().map(|condition| match condition {
                        treenail_engine::glue::Condition::Job(job, state) => {
                            ended.contains(job.as_str()) && outcome(job) == *state
                        }
                        treenail_engine::glue::Condition::Crawler(..) => false,
                    });
                    trigger.activated
                        && match predicate.logical {
                            Logical::And => hold.all(|holds| holds),
                            Logical::Any => hold.any(|holds| holds),
                        }
                }
                TriggerKind::OnDemand | TriggerKind::Scheduled(_) | TriggerKind::Event(_) => true,
            };
            if fires && fired.insert(trigger.name.clone()) {
                job_runs += trigger.actions.len();
                for action in &trigger.actions {
                    let treenail_engine::glue::Component::Job(job) = &action.component else {
                        continue;
                    };
                    ended.insert(JOBS.iter().find(|known| *known == job).unwrap());
                }
            }
        }
        if fired.len() == before {
            return (fired, job_runs);
        }
    }
}

fn play(case: &Case) -> (World, bool) {
    let mut world = World::new();
    for job in JOBS {
        world.job(job, |plan| plan.max_concurrent_runs = 1_000);
    }
    world.workflow("w", None, case.triggers.clone());
    let run = world.start("w").unwrap();
    let mut was_stopped = false;
    for (step, (choice, crashes)) in case.steps.iter().cycle().enumerate() {
        if *crashes {
            world.restart();
        }
        if case.stop_at == Some(step) && world.run(run).status == RunStatus::Running {
            world.put(Input::StopWorkflowRun { run }).unwrap();
            was_stopped = true;
        }
        if world.running.is_empty() {
            break;
        }
        let job = world.rows.job_runs[&world.running[choice % world.running.len()]]
            .spec
            .job_name
            .clone();
        let index = JOBS.iter().position(|known| *known == job).unwrap();
        world.end(
            &job,
            if case.succeeds[index] {
                Outcome::Succeeded
            } else {
                failed()
            },
        );
    }
    (world, was_stopped)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_triggers_fire_that_the_model_says_whatever_the_order_and_the_crashes(case in case()) {
        let (world, was_stopped) = play(&case);
        let record = world.rows.runs.values().next().unwrap();
        let fired: BTreeSet<String> =
            world.rows.job_runs.values().filter_map(|run| run.spec.trigger_name.clone()).collect();
        let (expected, job_runs) = model(&case);
        if was_stopped {
            prop_assert_eq!(record.status, RunStatus::Stopped);
            prop_assert!(fired.is_subset(&expected));
        } else {
            prop_assert_eq!(record.status, RunStatus::Completed);
            prop_assert_eq!(fired, expected);
            prop_assert_eq!(world.rows.job_runs.len(), job_runs);
        }
        let statistics = record.statistics;
        let ended = statistics.succeeded + statistics.failed + statistics.stopped;
        prop_assert_eq!(ended as usize, world.rows.job_runs.len());
        prop_assert_eq!(statistics.running + statistics.waiting + statistics.errored + statistics.timeout, 0);
    }
}
