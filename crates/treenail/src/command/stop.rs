//! `treenail stop`.

use treenail_proto::glue::v1::StopWorkflowRunRequest;

use crate::{
    client::{Client, Failed},
    terminal,
};

/// Stops a run.
pub(crate) async fn run(client: &Client, workflow: &str, run_id: &str) -> anyhow::Result<()> {
    let request = StopWorkflowRunRequest {
        name: Some(workflow.to_owned()),
        run_id: Some(run_id.to_owned()),
    };
    client
        .workflow_runs()
        .stop_workflow_run(client.request(request))
        .await
        .map_err(Failed::from)?;
    terminal::say(&format!("stopping {run_id}"));
    Ok(())
}
