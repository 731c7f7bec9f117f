//! `treenail explain`.

use treenail_proto::ops::v1::ExplainRunRequest;

use crate::{
    client::{Client, Failed},
    terminal,
};

/// Says why a run, which is found by its id alone, or a node of it, is as it is.
pub(crate) async fn run(client: &Client, run_id: &str, node: Option<&str>) -> anyhow::Result<()> {
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
    for sentence in answer.into_inner().sentences {
        // Names and errors are the users' own.
        terminal::say(&String::from_utf8_lossy(&terminal::tame(sentence.as_bytes())));
    }
    Ok(())
}
