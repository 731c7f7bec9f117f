//! `treenail diff`: what differs between two runs.

use std::collections::{BTreeMap, BTreeSet};

use treenail_proto::glue::v1::{JobRun, WorkflowRun};

use super::{explain::explain, run::get};
use crate::{
    client::Client,
    graph::{state_word, status_word},
    terminal,
};

/// Says what differs between two runs.
pub(crate) async fn run(client: &Client, one: &str, other: &str) -> anyhow::Result<()> {
    let (one, other) = (find(client, one).await?, find(client, other).await?);
    let differences = differences(&one, &other);
    if differences.is_empty() {
        terminal::say("The runs do not differ but in their times.");
    }
    for difference in differences {
        terminal::say(&String::from_utf8_lossy(&terminal::tame(difference.as_bytes())));
    }
    Ok(())
}

async fn find(client: &Client, run: &str) -> anyhow::Result<WorkflowRun> {
    let workflow = explain(client, run, None).await?.name.unwrap_or_default();
    get(client, &workflow, run).await
}

/// One line a difference; `-` stands for what is not there.
fn differences(one: &WorkflowRun, other: &WorkflowRun) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, one: Option<String>, other: Option<String>| {
        if one != other {
            let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            found.push(format!("{what}: {} | {}", text(one), text(other)));
        }
    };
    compare("workflow", one.name.clone(), other.name.clone());
    compare(
        "status",
        Some(status_word(one.status()).to_owned()),
        Some(status_word(other.status()).to_owned()),
    );
    compare("error", one.error_message.clone(), other.error_message.clone());
    compare("resumes", one.previous_run_id.clone(), other.previous_run_id.clone());
    let keys: BTreeSet<&String> = [one, other]
        .iter()
        .flat_map(|run| run.workflow_run_properties.keys())
        .collect();
    for key in keys {
        let value = |run: &WorkflowRun| run.workflow_run_properties.get(key).cloned();
        compare(&format!("property {key}"), value(one), value(other));
    }
    let (one, other) = (nodes(one), nodes(other));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let of = |nodes: &BTreeMap<String, Vec<JobRun>>| nodes.get(name).map(|runs| attempts(runs));
        compare(name, of(&one), of(&other));
    }
    found
}

/// What ran in the nodes for jobs.
fn nodes(run: &WorkflowRun) -> BTreeMap<String, Vec<JobRun>> {
    let nodes = run.graph.iter().flat_map(|graph| &graph.nodes);
    nodes
        .filter_map(|node| Some((node.name().to_owned(), node.job_details.as_ref()?.job_runs.clone())))
        .collect()
}

/// How the attempts of a job ended, in order.
fn attempts(runs: &[JobRun]) -> String {
    let words = runs.iter().map(|run| match run.error_message.as_deref() {
        Some(error) => format!("{} ({error})", state_word(run.job_run_state())),
        None => state_word(run.job_run_state()).to_owned(),
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        "did not run".to_owned()
    } else {
        words.join(", then ")
    }
}

#[cfg(test)]
mod tests {
    use treenail_proto::glue::v1::{JobNodeDetails, JobRunState, Node, WorkflowGraph, WorkflowRunStatus};

    use super::*;

    fn run(property: &str, states: &[JobRunState]) -> WorkflowRun {
        let job_runs = states.iter().map(|state| JobRun {
            job_run_state: Some((*state).into()),
            ..JobRun::default()
        });
        WorkflowRun {
            status: Some(WorkflowRunStatus::Completed.into()),
            workflow_run_properties: [("day".to_owned(), property.to_owned())].into(),
            graph: Some(WorkflowGraph {
                nodes: vec![Node {
                    name: Some("load".to_owned()),
                    job_details: Some(JobNodeDetails {
                        job_runs: job_runs.collect(),
                    }),
                    ..Node::default()
                }],
                edges: Vec::new(),
            }),
            ..WorkflowRun::default()
        }
    }

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        let one = run("1", &[JobRunState::Succeeded]);
        assert_eq!(differences(&one, &one), Vec::<String>::new());
        let other = run("2", &[JobRunState::Failed, JobRunState::Succeeded]);
        assert_eq!(
            differences(&one, &other),
            ["property day: 1 | 2", "load: SUCCEEDED | FAILED, then SUCCEEDED"]
        );
        assert_eq!(differences(&one, &run("1", &[])), ["load: SUCCEEDED | did not run"]);
    }
}
