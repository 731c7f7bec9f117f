//! `treenail show`.

use anyhow::Context as _;
use treenail_proto::glue::v1::GetWorkflowRequest;

use super::run::{get, summary};
use crate::{
    client::{Client, Failed},
    graph, terminal,
};

/// Shows a run as a graph; the workflow's last one when none is named.
pub(crate) async fn run(client: &Client, workflow: &str, run_id: Option<&str>) -> anyhow::Result<()> {
    let run = match run_id {
        Some(run_id) => get(client, workflow, run_id).await?,
        None => {
            let request = GetWorkflowRequest {
                name: Some(workflow.to_owned()),
                include_graph: Some(true),
            };
            let answer = client
                .workflows()
                .get_workflow(client.request(request))
                .await
                .map_err(Failed::from)?;
            let workflow = answer.into_inner().workflow.unwrap_or_default();
            workflow.last_run.context("the workflow has not run yet")?
        }
    };
    terminal::say(&format!("{} {}", run.name(), run.workflow_run_id()));
    graph::draw(&run, terminal::is_terminal())
        .iter()
        .for_each(|line| terminal::say(line));
    terminal::say(&summary(&run));
    for (key, value) in &run.workflow_run_properties {
        terminal::say(&format!(
            "  {key} = {}",
            String::from_utf8_lossy(&terminal::tame(value.as_bytes()))
        ));
    }
    Ok(())
}
