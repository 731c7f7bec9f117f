//! What ran in a workflow run is what its triggers ask for: no less, no more, and in order.

use std::collections::{BTreeMap, BTreeSet};

use treenail_proto::glue::v1::{
    JobRun, JobRunState, Logical, Node, Trigger, TriggerType, WorkflowRun, WorkflowRunStatus,
};

use super::{Evidence, Violation, ensure, id, nodes};

/// In a run that was neither stopped nor resumed, a job ran if and only if a trigger of it fired, judged by how the jobs
/// that the trigger watches ended.
pub(super) fn what_had_to_run_ran(evidence: &Evidence<'_>) -> Result<(), Violation> {
    let whole = |run: &&WorkflowRun| run.status() == WorkflowRunStatus::Completed && run.previous_run_id.is_none();
    for run in evidence.end.runs.iter().filter(whole) {
        let ends: BTreeMap<&str, Option<JobRunState>> = nodes(run)
            .iter()
            .filter_map(|node| Some((node.name(), end_of(&node.job_details.as_ref()?.job_runs))))
            .collect();
        let triggers = nodes(run).iter().filter_map(trigger_of);
        let fired: BTreeSet<&str> = triggers
            .filter(|trigger| fires(trigger, &ends))
            .flat_map(|trigger| trigger.actions.iter().map(|action| action.job_name()))
            .collect();
        for (job, end) in &ends {
            ensure(end.is_some() == fired.contains(job), || {
                format!(
                    "in {} of {} {job} {}, though {}: {ends:?}",
                    id(run),
                    run.name(),
                    if end.is_some() { "ran" } else { "did not run" },
                    if end.is_some() {
                        "no trigger of it fired"
                    } else {
                        "a trigger of it fired"
                    },
                )
            })?;
        }
    }
    Ok(())
}

/// The attempts of an activation count up from zero, each names the one before it, and only the last may have succeeded.
pub(super) fn attempts_are_in_order(evidence: &Evidence<'_>) -> Result<(), Violation> {
    let by_id: BTreeMap<&str, &JobRun> = evidence.end.job_runs.iter().map(|run| (run.id(), run)).collect();
    for run in &evidence.end.job_runs {
        let Some(previous) = &run.previous_run_id else {
            ensure(run.attempt() == 0, || {
                format!("{} is attempt {} of nothing", run.id(), run.attempt())
            })?;
            continue;
        };
        let before = by_id.get(previous.as_str());
        ensure(
            before.is_some_and(|before| before.attempt() + 1 == run.attempt()),
            || format!("{} is attempt {} and follows {before:?}", run.id(), run.attempt()),
        )?;
        ensure(
            before.is_some_and(|before| before.job_run_state() != JobRunState::Succeeded),
            || format!("{} was tried again though it succeeded, as {}", previous, run.id()),
        )?;
        let twins = evidence
            .end
            .job_runs
            .iter()
            .filter(|other| other.previous_run_id.as_ref() == Some(previous));
        ensure(twins.count() == 1, || format!("{previous} was tried again twice"))?;
    }
    Ok(())
}

/// In a run that was stopped, nothing was started because of what the stop had ended.
pub(super) fn nothing_starts_after_a_stop(evidence: &Evidence<'_>) -> Result<(), Violation> {
    let states: BTreeMap<&str, JobRunState> = evidence
        .end
        .job_runs
        .iter()
        .map(|run| (run.id(), run.job_run_state()))
        .collect();
    let stopped = |run: &&WorkflowRun| run.status() == WorkflowRunStatus::Stopped && run.previous_run_id.is_none();
    for run in evidence.end.runs.iter().filter(stopped) {
        for job_run in nodes(run)
            .iter()
            .filter_map(|node| node.job_details.as_ref())
            .flat_map(|job| &job.job_runs)
        {
            let mut predecessors = job_run.predecessor_runs.iter();
            let after_stop = predecessors.find(|before| states.get(before.run_id()) == Some(&JobRunState::Stopped));
            ensure(after_stop.is_none(), || {
                format!(
                    "{} of {} was started by {after_stop:?}, which the stop ended",
                    job_run.id(),
                    id(run)
                )
            })?;
        }
    }
    Ok(())
}

fn trigger_of(node: &Node) -> Option<&Trigger> {
    node.trigger_details.as_ref()?.trigger.as_ref()
}

/// How what ran in a node ended: the end of its last attempt.
fn end_of(runs: &[JobRun]) -> Option<JobRunState> {
    runs.iter().max_by_key(|run| run.attempt()).map(JobRun::job_run_state)
}

fn fires(trigger: &Trigger, ends: &BTreeMap<&str, Option<JobRunState>>) -> bool {
    let Some(predicate) = trigger
        .predicate
        .as_ref()
        .filter(|_| trigger.r#type() == TriggerType::Conditional)
    else {
        return true;
    };
    let mut met = predicate
        .conditions
        .iter()
        .map(|condition| ends.get(condition.job_name()).copied().flatten() == Some(condition.state()));
    if predicate.logical() == Logical::Any {
        met.any(|met| met)
    } else {
        met.all(|met| met)
    }
}
