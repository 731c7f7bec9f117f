//! `treenail ls`.

use anyhow::Context as _;
use treenail_proto::glue::v1::{
    GetJobRunsRequest, GetWorkflowRunsRequest, JobRun, ListJobsRequest, ListTriggersRequest, ListWorkflowsRequest,
    WorkflowRun,
};

use crate::{
    cli::Listing,
    client::{Client, Failed},
    graph, terminal,
};

/// How many runs are listed: the newest.
const RUNS_MAX: i32 = 50;

/// Lists all names, or the newest page of runs.
pub(crate) async fn run(client: &Client, what: Listing, name: Option<&str>) -> anyhow::Result<()> {
    let mut next_token = None;
    loop {
        let (lines, token) = page(client, what, name, next_token).await?;
        lines.iter().for_each(|line| terminal::say(line));
        match token {
            Some(token) => next_token = Some(token),
            None => return Ok(()),
        }
    }
}

type Page = (Vec<String>, Option<String>);

async fn page(
    client: &Client,
    what: Listing,
    name: Option<&str>,
    next_token: Option<String>,
) -> Result<Page, anyhow::Error> {
    let named = || name.map(str::to_owned).context("say whose runs are wanted");
    Ok(match what {
        Listing::Workflows => workflows(client, next_token).await?,
        Listing::Jobs => jobs(client, next_token).await?,
        Listing::Triggers => triggers(client, next_token).await?,
        Listing::Runs => runs(client, named()?).await?,
        Listing::JobRuns => job_runs(client, named()?).await?,
    })
}

async fn workflows(client: &Client, next_token: Option<String>) -> Result<Page, Failed> {
    let request = client.request(ListWorkflowsRequest {
        next_token,
        ..Default::default()
    });
    let answer = client.workflows().list_workflows(request).await?.into_inner();
    Ok((answer.workflows, answer.next_token))
}

async fn jobs(client: &Client, next_token: Option<String>) -> Result<Page, Failed> {
    let request = client.request(ListJobsRequest {
        next_token,
        ..Default::default()
    });
    let answer = client.jobs().list_jobs(request).await?.into_inner();
    Ok((answer.job_names, answer.next_token))
}

async fn triggers(client: &Client, next_token: Option<String>) -> Result<Page, Failed> {
    let request = client.request(ListTriggersRequest {
        next_token,
        ..Default::default()
    });
    let answer = client.triggers().list_triggers(request).await?.into_inner();
    Ok((answer.trigger_names, answer.next_token))
}

async fn runs(client: &Client, name: String) -> Result<Page, Failed> {
    let max_results = Some(RUNS_MAX);
    let request = client.request(GetWorkflowRunsRequest {
        name: Some(name),
        max_results,
        ..Default::default()
    });
    let answer = client.workflow_runs().get_workflow_runs(request).await?.into_inner();
    let line = |run: &WorkflowRun| format!("{} {}", run.workflow_run_id(), graph::status_word(run.status()));
    Ok((answer.runs.iter().map(line).collect(), None))
}

async fn job_runs(client: &Client, name: String) -> Result<Page, Failed> {
    let max_results = Some(RUNS_MAX);
    let request = client.request(GetJobRunsRequest {
        job_name: Some(name),
        max_results,
        next_token: None,
    });
    let answer = client.job_runs().get_job_runs(request).await?.into_inner();
    let line = |run: &JobRun| format!("{} {}", run.id(), graph::state_word(run.job_run_state()));
    Ok((answer.job_runs.iter().map(line).collect(), None))
}
