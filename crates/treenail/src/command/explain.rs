//! `treenail explain`.

use treenail_proto::ops::v1::{ExplainRunRequest, ExplainRunResponse};

use crate::{
    client::{Client, Failed},
    terminal,
};

/// Says why a run, or a node of it, is as it is.
pub(crate) async fn run(client: &Client, run_id: &str, node: Option<&str>) -> anyhow::Result<()> {
    for sentence in explain(client, run_id, node).await?.sentences {
        // Names and errors are the users' own.
        terminal::say(&String::from_utf8_lossy(&terminal::tame(sentence.as_bytes())));
    }
    Ok(())
}

/// Explains a run, which is found by its id alone.
pub(super) async fn explain(client: &Client, run_id: &str, node: Option<&str>) -> anyhow::Result<ExplainRunResponse> {
    let request = ExplainRunRequest {
        name: None,
        run_id: Some(run_id.to_owned()),
        node: node.map(str::to_owned),
    };
    let answer = client
        .history()
        .explain_run(client.request(request))
        .await
        .map_err(Failed::from)?;
    Ok(answer.into_inner())
}
