//! `treenail history`.

use std::collections::BTreeMap;

use treenail_proto::ops::v1::{GetRunHistoryRequest, RunEvent};
use treenail_schedule::Timestamp;

use crate::{
    client::{Client, Failed},
    terminal,
};

/// Prints what happened in a run, the oldest first.
pub(crate) async fn run(client: &Client, run_id: &str) -> anyhow::Result<()> {
    let mut next_token = None;
    let mut nodes = BTreeMap::new();
    loop {
        let request = GetRunHistoryRequest {
            run_id: Some(run_id.to_owned()),
            next_token,
            ..GetRunHistoryRequest::default()
        };
        let answer = client
            .history()
            .get_run_history(client.request(request))
            .await
            .map_err(Failed::from)?;
        let page = answer.into_inner();
        for event in &page.events {
            let line = line(event, &mut nodes);
            terminal::say(&String::from_utf8_lossy(&terminal::tame(line.as_bytes())));
        }
        next_token = page.next_token;
        if next_token.is_none() {
            return Ok(());
        }
    }
}

/// An event in a line; remembers the nodes of job runs, which only the events that created them name.
fn line(event: &RunEvent, nodes: &mut BTreeMap<String, String>) -> String {
    let at = event
        .happened_on
        .map_or(0, |at| at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000);
    if let (Some(job_run), Some(node)) = (&event.job_run_id, &event.node) {
        nodes.insert(job_run.clone(), node.clone());
    }
    let node = event.node.as_ref().or_else(|| nodes.get(event.job_run_id()));
    let node = node.map_or_else(String::new, |node| format!("{node}: "));
    format!(
        "{:>5}  {}  {node}{}",
        event.sequence(),
        Timestamp::from_millis(at),
        event.text()
    )
}
