//! `treenail run`: a workflow is started and followed until it ends.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::Context as _;
use treenail_proto::glue::v1::{
    GetWorkflowRunRequest, StartWorkflowRunRequest, WorkflowRun, WorkflowRunStatistics, WorkflowRunStatus,
};

use crate::{
    client::{Client, Failed},
    graph, terminal,
};

/// How long to wait between two looks at a run.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// The exit code when some action did not end well.
const SOME_FAILED: u8 = 1;

/// Starts a workflow, and follows the run if asked to.
pub(crate) async fn run(
    client: &Client,
    workflow: &str,
    properties: &[String],
    follows: bool,
) -> anyhow::Result<ExitCode> {
    let run_properties = properties
        .iter()
        .map(|property| parse(property))
        .collect::<anyhow::Result<BTreeMap<_, _>>>()?;
    let request = StartWorkflowRunRequest {
        name: Some(workflow.to_owned()),
        run_properties,
    };
    let answer = client
        .workflow_runs()
        .start_workflow_run(client.request(request))
        .await
        .map_err(Failed::from)?;
    let run_id = answer.into_inner().run_id.unwrap_or_default();
    terminal::say(&format!("started {workflow}: {run_id}"));
    if !follows {
        return Ok(ExitCode::SUCCESS);
    }
    let run = follow(client, workflow, &run_id).await?;
    terminal::say(&summary(&run));
    Ok(if is_well(&run) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(SOME_FAILED)
    })
}

/// Follows a run until it ends: as a graph that is drawn anew on a terminal, as a line a change elsewhere.
pub(crate) async fn follow(client: &Client, workflow: &str, run_id: &str) -> anyhow::Result<WorkflowRun> {
    let mut drawn = 0;
    let mut told = BTreeMap::new();
    loop {
        let run = get(client, workflow, run_id).await?;
        if terminal::is_terminal() {
            let lines = graph::draw(&run, true);
            terminal::redraw(drawn, &lines);
            drawn = lines.len();
        } else {
            for line in graph::changes(&run, &mut told) {
                terminal::say(&line);
            }
        }
        match run.status() {
            WorkflowRunStatus::Running | WorkflowRunStatus::Stopping => tokio::time::sleep(LOOK_INTERVAL).await,
            WorkflowRunStatus::Completed
            | WorkflowRunStatus::Stopped
            | WorkflowRunStatus::Error
            | WorkflowRunStatus::Unspecified => {
                if !terminal::is_terminal() {
                    graph::draw(&run, false).iter().for_each(|line| terminal::say(line));
                }
                return Ok(run);
            }
        }
    }
}

/// A run with its graph.
pub(crate) async fn get(client: &Client, workflow: &str, run_id: &str) -> anyhow::Result<WorkflowRun> {
    let request = GetWorkflowRunRequest {
        name: Some(workflow.to_owned()),
        run_id: Some(run_id.to_owned()),
        include_graph: Some(true),
    };
    let answer = client
        .workflow_runs()
        .get_workflow_run(client.request(request))
        .await
        .map_err(Failed::from)?;
    answer.into_inner().run.context("the server told nothing of the run")
}

/// Whether a run completed and all that it did ended well.
pub(crate) fn is_well(run: &WorkflowRun) -> bool {
    let WorkflowRunStatistics {
        failed_actions,
        timeout_actions,
        stopped_actions,
        errored_actions,
        ..
    } = run.statistics.unwrap_or_default();
    let bad = [failed_actions, timeout_actions, stopped_actions, errored_actions]
        .into_iter()
        .flatten()
        .sum::<i32>();
    run.status() == WorkflowRunStatus::Completed && bad == 0
}

/// How a run ended, in a line.
pub(crate) fn summary(run: &WorkflowRun) -> String {
    let statistics = run.statistics.unwrap_or_default();
    let count = |count: Option<i32>| count.unwrap_or_default();
    format!(
        "{}: {} actions, {} succeeded, {} failed, {} timed out, {} stopped, {} errored",
        graph::status_word(run.status()),
        count(statistics.total_actions),
        count(statistics.succeeded_actions),
        count(statistics.failed_actions),
        count(statistics.timeout_actions),
        count(statistics.stopped_actions),
        count(statistics.errored_actions)
    )
}

fn parse(property: &str) -> anyhow::Result<(String, String)> {
    let (key, value) = property
        .split_once('=')
        .with_context(|| format!("a property reads key=value, not {property}"))?;
    Ok((key.to_owned(), value.to_owned()))
}
