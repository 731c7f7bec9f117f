//! `HistoryService`.

use tonic::{Request, Response, Status};
use treenail_engine::{glue::EventKind, ids::JobRunId};
use treenail_proto::ops::v1::{
    ExplainRunRequest, ExplainRunResponse, GetRunHistoryRequest, GetRunHistoryResponse, RunEvent,
    history_service_server::HistoryService,
};
use treenail_rpc::{Caller, Fault, Reason, Scope};
use treenail_storage::page::Token;

use super::{Api, page};
use crate::{codec::to_proto_time, error::Error, queries::Queries, store::Store};

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
        let findings = self
            .queries
            .explain(&caller.scope, &row, request.node.as_deref())
            .await?;
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
        let (name, row) = self
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
            job_run_id: job_run(&event.kind).map(|id| id.to_string()),
        });
        Ok(GetRunHistoryResponse {
            events: shown.collect(),
            next_token,
            name: Some(name),
            plan_version: i64::try_from(plan.sequence).ok(),
        })
    }
}

/// The job run that an event concerns.
fn job_run(kind: &EventKind) -> Option<JobRunId> {
    match *kind {
        EventKind::JobRunCreated { job_run, .. }
        | EventKind::JobRunChanged { job_run, .. }
        | EventKind::RetryScheduled { job_run, .. }
        | EventKind::JobRunRequeued { job_run }
        | EventKind::JobRunDelayed { job_run } => Some(job_run),
        EventKind::Started(_)
        | EventKind::Refused(_)
        | EventKind::PropertiesSeeded
        | EventKind::TriggerFired { .. }
        | EventKind::ConditionMet { .. }
        | EventKind::CrawlEnded { .. }
        | EventKind::StopRequested
        | EventKind::Ended(_) => None,
    }
}

fn decode(binding: &[&str], token: &str) -> Result<u64, Fault> {
    let invalid = || Fault::new(Reason::InvalidInputException, "Pagination token is invalid");
    let bytes = Token::decode(binding, token).map_err(|_| invalid())?;
    let sequence = bytes.try_into().map_err(|_| invalid())?;
    Ok(u64::from_be_bytes(sequence))
}
