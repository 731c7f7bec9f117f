//! `HistoryService`.

use tonic::{Request, Response, Status};
use treenail_engine::glue::{EventKind, explain::Known};
use treenail_proto::ops::v1::{
    ExplainRunRequest, ExplainRunResponse, GetRunHistoryRequest, GetRunHistoryResponse, RunEvent,
    history_service_server::HistoryService,
};
use treenail_rpc::{Caller, Fault, Reason, Scope};
use treenail_storage::page::Token;

use super::{Api, page};
use crate::{
    codec::to_proto_time,
    error::Error,
    queries::{Explained, Queries},
    store::Store,
};

/// How many events a page has at the most.
const EVENTS_PER_PAGE_MAX: usize = 1_000;

#[tonic::async_trait]
impl<S: Store> HistoryService for Api<S> {
    async fn get_run_history(
        &self,
        request: Request<GetRunHistoryRequest>,
    ) -> Result<Response<GetRunHistoryResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        Ok(Response::new(
            self.page_of_events(&caller.scope, request.into_inner()).await?,
        ))
    }

    async fn explain_run(&self, request: Request<ExplainRunRequest>) -> Result<Response<ExplainRunResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let (name, row) = self
            .queries
            .find_run(&caller.scope, request.name, request.run_id.as_deref())
            .await?;
        let explained = self.queries.explained(&caller.scope, &row).await?;
        let known = known(&explained);
        let findings = match &request.node {
            Some(node) => known.node(node),
            None => known.run(),
        };
        Ok(Response::new(ExplainRunResponse {
            sentences: findings.iter().map(ToString::to_string).collect(),
            name: Some(name),
        }))
    }
}

impl<S: Store> Api<S> {
    async fn page_of_events(
        &self,
        scope: &Scope,
        request: GetRunHistoryRequest,
    ) -> Result<GetRunHistoryResponse, Error> {
        let (_, row) = self
            .queries
            .find_run(scope, request.name, request.run_id.as_deref())
            .await?;
        let scope_text = scope.to_string();
        let binding = ["GetRunHistory", &scope_text, &row.id];
        let from = match request.next_token.as_deref().filter(|token| !token.is_empty()) {
            None => 1,
            Some(token) => decode(&binding, token)?,
        };
        let most = page::size(request.max_results, EVENTS_PER_PAGE_MAX);
        let mut events = self.queries.events(&row.id, from, most + 1).await?;
        let next_token = events
            .get(most)
            .map(|event| Token::encode(&binding, &event.sequence.to_be_bytes()));
        events.truncate(most);
        let plan = self.queries.plan_of(&Queries::<S>::record(&row)?).await?.0;
        let node = |kind: &EventKind| match kind {
            EventKind::TriggerFired { trigger } | EventKind::ConditionMet { trigger, .. } => Some(trigger.clone()),
            EventKind::JobRunCreated { node, .. } | EventKind::CrawlEnded { node, .. } => {
                plan.graph.nodes.get(*node).map(|node| node.name().to_owned())
            }
            EventKind::Started(_)
            | EventKind::Refused(_)
            | EventKind::PropertiesSeeded
            | EventKind::JobRunChanged { .. }
            | EventKind::RetryScheduled { .. }
            | EventKind::JobRunRequeued { .. }
            | EventKind::JobRunDelayed { .. }
            | EventKind::StopRequested
            | EventKind::Ended(_) => None,
        };
        let shown = events.iter().map(|event| RunEvent {
            sequence: i64::try_from(event.sequence).ok(),
            happened_on: Some(to_proto_time(event.at)),
            text: Some(event.kind.to_string()),
            node: node(&event.kind),
        });
        Ok(GetRunHistoryResponse {
            events: shown.collect(),
            next_token,
        })
    }
}

fn known(explained: &Explained) -> Known<'_> {
    Known {
        record: &explained.record,
        plan: &explained.plan,
        job_runs: &explained.job_runs,
        copied: &explained.copied,
        events: &explained.events,
        outside: &explained.outside,
    }
}

fn decode(binding: &[&str], token: &str) -> Result<u64, Fault> {
    let invalid = || Fault::new(Reason::InvalidInputException, "Pagination token is invalid");
    let bytes = Token::decode(binding, token).map_err(|_| invalid())?;
    let sequence = bytes.try_into().map_err(|_| invalid())?;
    Ok(u64::from_be_bytes(sequence))
}
