//! Random workflows, outcomes, orders, stops and crashes, against a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use treenail_engine::{
    glue::{
        Component, Condition, EventKind, Input, JobRunState, Logical, Outcome, Reply, RunStatus, TriggerKind,
        TriggerPlan,
    },
    ids::WorkflowRunId,
};

use crate::{
    resumed::{node, previous},
    world::{World, failed, starts, when},
};

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
    /// Which of the nodes that ran is resumed afterwards, and whether each job succeeds then.
    resumed: (usize, [bool; JOBS.len()]),
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
        any::<(usize, [bool; JOBS.len()])>(),
    )
        .prop_map(|(first, conditionals, succeeds, steps, stop_at, resumed)| {
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
                resumed,
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
                        Condition::Job(job, state) => ended.contains(job.as_str()) && outcome(job) == *state,
                        Condition::Crawler(..) => false,
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
                    let Component::Job(job) = &action.component else {
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
    let was_stopped = steps(&mut world, case, &case.succeeds, run);
    (world, was_stopped)
}

/// Ends what runs, in the case's order, until nothing runs any more; says whether the run was stopped on the way.
fn steps(world: &mut World, case: &Case, succeeds: &[bool; JOBS.len()], run: WorkflowRunId) -> bool {
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
        let is_success = succeeds[place(&job)];
        world.end(&job, if is_success { Outcome::Succeeded } else { failed() });
    }
    was_stopped
}

fn place(job: &str) -> usize {
    JOBS.iter().position(|known| *known == job).unwrap()
}

fn end(succeeds: bool) -> JobRunState {
    if succeeds {
        JobRunState::Succeeded
    } else {
        JobRunState::Failed
    }
}

/// The conditions of a trigger inside a workflow: job and state.
fn conditions(trigger: &TriggerPlan) -> Option<(Logical, Vec<(&str, JobRunState)>)> {
    let TriggerKind::Conditional(predicate) = &trigger.kind else {
        return None;
    };
    let conditions = predicate.conditions.iter().filter_map(|condition| match condition {
        Condition::Job(job, state) => Some((job.as_str(), *state)),
        Condition::Crawler(..) => None,
    });
    Some((predicate.logical, conditions.collect()))
}

fn started(trigger: &TriggerPlan) -> impl Iterator<Item = &str> {
    trigger.actions.iter().filter_map(|action| match &action.component {
        Component::Job(job) => Some(job.as_str()),
        Component::Crawler(_) => None,
    })
}

/// What a resumed run does: the triggers that fire, and how many job runs there are.
///
/// What lies downstream of the resumed node is forgotten; all else that ran counts as it ended. A trigger is looked at when
/// something that it watches ends in the resumed run.
fn model_of_resumed(case: &Case, root: &str, ran: &BTreeSet<String>) -> (BTreeSet<String>, usize) {
    let (mut nodes, mut triggers) = (BTreeSet::from([root]), BTreeSet::new());
    loop {
        let before = triggers.len();
        for trigger in &case.triggers {
            let watches = conditions(trigger).is_some_and(|(_, of)| of.iter().any(|(job, _)| nodes.contains(job)));
            if watches && triggers.insert(trigger.name.as_str()) {
                nodes.extend(started(trigger));
            }
        }
        if triggers.len() == before {
            break;
        }
    }
    let kept = ran.iter().filter(|job| !nodes.contains(job.as_str()));
    let mut ends: BTreeMap<&str, JobRunState> =
        kept.map(|job| (job.as_str(), end(case.succeeds[place(job)]))).collect();
    let mut ended = BTreeSet::from([root]);
    ends.insert(root, end(case.resumed.1[place(root)]));
    let (mut fired, mut job_runs) = (BTreeSet::new(), 1);
    loop {
        let before = fired.len();
        for trigger in case
            .triggers
            .iter()
            .filter(|trigger| triggers.contains(trigger.name.as_str()))
        {
            let Some((logical, conditions)) = conditions(trigger) else {
                continue;
            };
            let mut hold = conditions.iter().map(|(job, state)| ends.get(job) == Some(state));
            let holds = match logical {
                Logical::And => hold.all(|holds| holds),
                Logical::Any => hold.any(|holds| holds),
            };
            let is_looked_at = conditions.iter().any(|(job, _)| ended.contains(job));
            if trigger.activated && holds && is_looked_at && fired.insert(trigger.name.clone()) {
                job_runs += trigger.actions.len();
                for job in started(trigger) {
                    ended.insert(job);
                    ends.insert(job, end(case.resumed.1[place(job)]));
                }
            }
        }
        if fired.len() == before {
            return (fired, job_runs);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

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

    #[test]
    fn a_resumed_run_runs_again_what_the_model_says_and_counts_the_rest(case in case()) {
        let case = Case { stop_at: None, ..case };
        let (mut world, _) = play(&case);
        let first = *world.rows.runs.keys().next().unwrap();
        let ran: BTreeSet<String> = world.rows.job_runs.values().map(|run| run.spec.job_name.clone()).collect();
        let root = ran.iter().nth(case.resumed.0 % ran.len()).unwrap().clone();
        let resume = Input::ResumeWorkflowRun {
            workflow: "w".into(),
            previous: previous(&world, first),
            node_ids: vec![node(&root)],
        };
        let Ok(Reply::Resumed(run, _)) = world.put(resume) else { panic!("not resumed") };
        steps(&mut world, &case, &case.resumed.1, run);
        prop_assert_eq!(world.run(run).status, RunStatus::Completed);
        let own: Vec<_> =
            world.rows.job_runs.values().filter(|job_run| job_run.spec.workflow_run() == Some(run)).collect();
        // The resumed node bears the trigger that had started it, which does not fire again.
        let fired: BTreeSet<String> =
            world.rows.events[&run].iter().filter_map(|event| match &event.kind {
                EventKind::TriggerFired { trigger } => Some(trigger.clone()),
                _ => None,
            }).collect();
        let (expected, job_runs) = model_of_resumed(&case, &root, &ran);
        prop_assert_eq!(fired, expected);
        prop_assert_eq!(own.len(), job_runs);
    }
}
