//! `treenail resume`.

use treenail_proto::glue::v1::{NodeType, ResumeWorkflowRunRequest};

use super::run::get;
use crate::{
    client::{Client, Failed},
    terminal,
};

/// Resumes a run from nodes that are named by their job's name or by their id.
pub(crate) async fn run(client: &Client, workflow: &str, run_id: &str, nodes: &[String]) -> anyhow::Result<()> {
    let graph = get(client, workflow, run_id).await?.graph.unwrap_or_default();
    let id_of = |wanted: &String| {
        let is_wanted =
            |node: &&treenail_proto::glue::v1::Node| node.r#type() != NodeType::Trigger && node.name() == wanted;
        graph
            .nodes
            .iter()
            .find(is_wanted)
            .map_or_else(|| wanted.clone(), |node| node.unique_id().to_owned())
    };
    let request = ResumeWorkflowRunRequest {
        name: Some(workflow.to_owned()),
        run_id: Some(run_id.to_owned()),
        node_ids: nodes.iter().map(id_of).collect(),
    };
    let answer = client
        .workflow_runs()
        .resume_workflow_run(client.request(request))
        .await
        .map_err(Failed::from)?;
    terminal::say(&format!("resumed as {}", answer.into_inner().run_id()));
    Ok(())
}
