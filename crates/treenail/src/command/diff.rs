//! `treenail diff`: what differs between two runs.

mod differences;

use treenail_proto::{glue::v1::WorkflowRun, ops::v1::GetRunHistoryRequest};

use self::differences::differences;
use super::run::get;
use crate::{
    client::{Client, Failed},
    terminal,
};

/// A run, and the definition that it keeps.
struct Side {
    run: WorkflowRun,
    plan_version: Option<i64>,
}

/// Says what differs between two runs.
pub(crate) async fn run(client: &Client, one: &str, other: &str) -> anyhow::Result<()> {
    let (one, other) = (find(client, one).await?, find(client, other).await?);
    let differences = differences(&one, &other);
    if differences.is_empty() {
        terminal::say("The runs do not differ but in their times, and there by little.");
    }
    for difference in differences {
        terminal::say(&String::from_utf8_lossy(&terminal::tame(difference.as_bytes())));
    }
    Ok(())
}

/// A run by its id alone, which its history is found by.
async fn find(client: &Client, run_id: &str) -> anyhow::Result<Side> {
    let request = GetRunHistoryRequest {
        run_id: Some(run_id.to_owned()),
        max_results: Some(1),
        ..GetRunHistoryRequest::default()
    };
    let answer = client
        .history()
        .get_run_history(client.request(request))
        .await
        .map_err(Failed::from)?
        .into_inner();
    Ok(Side {
        run: get(client, answer.name(), run_id).await?,
        plan_version: answer.plan_version,
    })
}
