//! `treenail history`.

use treenail_proto::ops::v1::GetRunHistoryRequest;
use treenail_schedule::Timestamp;

use crate::{
    client::{Client, Failed},
    terminal,
};

/// Prints what happened in a run, the oldest first.
pub(crate) async fn run(client: &Client, run_id: &str) -> anyhow::Result<()> {
    let mut next_token = None;
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
            let at = event
                .happened_on
                .map_or(0, |at| at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000);
            let node = event
                .node
                .as_deref()
                .map_or_else(String::new, |node| format!("{node}: "));
            let text = format!(
                "{:>5}  {}  {node}{}",
                event.sequence(),
                Timestamp::from_millis(at),
                event.text()
            );
            terminal::say(&String::from_utf8_lossy(&terminal::tame(text.as_bytes())));
        }
        next_token = page.next_token;
        if next_token.is_none() {
            return Ok(());
        }
    }
}
