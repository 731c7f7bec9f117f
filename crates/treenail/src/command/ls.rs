//! `treenail ls`.

use anyhow::Context as _;
use treenail_proto::glue::v1::{
    GetJobRunsRequest, GetWorkflowRunsRequest, ListJobsRequest, ListTriggersRequest, ListWorkflowsRequest,
};

use crate::{
    cli::Listing,
    client::{Client, Failed},
    graph, terminal,
};

/// Lists all names, or the newest page of runs.
pub(crate) async fn run(client: &Client, what: Listing, name: Option<&str>) -> anyhow::Result<()> {
    let mut next_token = None;
    loop {
        let (lines, token) = page(client, what, name, next_token).await?;
        lines.iter().for_each(|line| terminal::say(line));
        let is_names = matches!(what, Listing::Workflows | Listing::Jobs | Listing::Triggers);
        match token.filter(|_| is_names) {
            Some(token) => next_token = Some(token),
            None => return Ok(()),
        }
    }
}

async fn page(
    client: &Client,
    what: Listing,
    name: Option<&str>,
    next_token: Option<String>,
) -> anyhow::Result<(Vec<String>, Option<String>)> {
    let named = || name.map(str::to_owned).context("say whose runs are wanted");
    match what {
        Listing::Workflows => {
            let request = ListWorkflowsRequest {
                next_token,
                ..Default::default()
            };
            let answer = client
                .workflows()
                .list_workflows(client.request(request))
                .await
                .map_err(Failed::from)?
                .into_inner();
            Ok((answer.workflows, answer.next_token))
        }
        Listing::Jobs => {
            let request = ListJobsRequest {
                next_token,
                ..Default::default()
            };
            let answer = client
                .jobs()
                .list_jobs(client.request(request))
                .await
                .map_err(Failed::from)?
                .into_inner();
            Ok((answer.job_names, answer.next_token))
        }
        Listing::Triggers => {
            let request = ListTriggersRequest {
                next_token,
                ..Default::default()
            };
            let answer = client
                .triggers()
                .list_triggers(client.request(request))
                .await
                .map_err(Failed::from)?
                .into_inner();
            Ok((answer.trigger_names, answer.next_token))
        }
        Listing::Runs => {
            let request = GetWorkflowRunsRequest {
                name: Some(named()?),
                next_token,
                max_results: Some(50),
                ..Default::default()
            };
            let answer = client
                .workflow_runs()
                .get_workflow_runs(client.request(request))
                .await
                .map_err(Failed::from)?
                .into_inner();
            let line = |run: &treenail_proto::glue::v1::WorkflowRun| {
                format!("{} {}", run.workflow_run_id(), graph::status_word(run.status()))
            };
            Ok((answer.runs.iter().map(line).collect(), answer.next_token))
        }
        Listing::JobRuns => {
            let request = GetJobRunsRequest {
                job_name: Some(named()?),
                next_token,
                max_results: Some(50),
            };
            let answer = client
                .job_runs()
                .get_job_runs(client.request(request))
                .await
                .map_err(Failed::from)?
                .into_inner();
            let line = |run: &treenail_proto::glue::v1::JobRun| {
                format!("{} {}", run.id(), graph::state_word(run.job_run_state()))
            };
            Ok((answer.job_runs.iter().map(line).collect(), answer.next_token))
        }
    }
}
