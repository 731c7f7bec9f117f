//! What the API shows of runs, read from rows.

mod explained;

use std::{collections::BTreeMap, sync::Arc};

use treenail_engine::{
    Timestamp,
    glue::{
        PreviousRun, RunRecord, WorkflowPlan,
        graph::{self, Node},
    },
};
use treenail_proto::{
    glue::v1 as glue,
    internal::v1::{self as internal, seed_service_client::SeedServiceClient},
};
use treenail_rpc::{Caller, Channel, Clock, Fault, Scope, limits::GRPC_MESSAGE_BYTES_MAX};

use crate::{
    codec::{Malformed, job_run, opened, plan::Published, workflow_run},
    error::{Error, entity_not_found},
    ran,
    store::{CopiesRow, CrawlRow, JobRunRow, PlanRow, RunRow, Store},
};

/// How many runs' properties one call asks for.
const PROPERTIES_PER_CALL: usize = 10;

/// Reads runs for the API.
#[derive(Debug, Clone)]
pub(crate) struct Queries<S> {
    pub(crate) store: S,
    pub(crate) properties: Channel,
    pub(crate) clock: Clock,
}

/// The rows of what ran in a run.
struct Rows {
    copies: Option<CopiesRow>,
    copied_job_runs: Vec<JobRunRow>,
    copied_crawls: Vec<CrawlRow>,
    job_runs: Vec<JobRunRow>,
    crawls: Vec<CrawlRow>,
}

impl<S: Store> Queries<S> {
    /// A run of a workflow; the answer to an unknown one is AWS's.
    pub(crate) async fn run_row(&self, scope: &Scope, workflow: &str, id: &str) -> Result<RunRow, Error> {
        Ok(self
            .store
            .run(scope, workflow, id)
            .await?
            .ok_or_else(entity_not_found)?)
    }

    pub(crate) fn record(row: &RunRow) -> Result<RunRecord, Error> {
        let stored = opened::<internal::StoredWorkflowRun>(&row.data, "workflow run")?;
        Ok(workflow_run::from_stored(
            &row.id,
            &row.workflow_uid,
            Timestamp::from_millis(row.started_at_ms),
            &stored,
        )?)
    }

    /// Runs as the API shows them, in the order of their rows.
    pub(crate) async fn show(
        &self,
        scope: &Scope,
        workflow: &str,
        rows: &[RunRow],
        include_graph: bool,
    ) -> Result<Vec<glue::WorkflowRun>, Error> {
        let mut shown = Vec::with_capacity(rows.len());
        for rows in rows.chunks(PROPERTIES_PER_CALL) {
            let mut properties = self
                .run_properties(scope, rows.iter().map(|row| row.id.clone()).collect())
                .await?;
            for row in rows {
                let record = Self::record(row)?;
                // A run that was just started, or was refused, may not have its properties in place yet.
                let properties = properties.remove(&row.id).unwrap_or_else(|| record.seed.clone());
                let mut run = workflow_run::shown(&record, workflow, properties);
                if include_graph {
                    run.graph = Some(self.graph(scope, &record).await?);
                }
                shown.push(run);
            }
        }
        Ok(shown)
    }

    /// A run to resume.
    pub(crate) async fn previous(&self, row: &RunRow) -> Result<PreviousRun, Error> {
        let record = Self::record(row)?;
        let (plan, _) = self.plan_of(&record).await?;
        let rows = self.rows_of(&row.id).await?;
        let read = |rows: &[JobRunRow]| {
            rows.iter()
                .map(|row| ran::job_run(row, |_| None))
                .collect::<Result<Vec<_>, _>>()
        };
        let read_crawls = |rows: &[CrawlRow]| rows.iter().map(read_crawl).collect::<Result<Vec<_>, _>>();
        let (own, own_crawls) = (read(&rows.job_runs)?, read_crawls(&rows.crawls)?);
        let all: Vec<_> = read(&rows.copied_job_runs)?.into_iter().chain(own.clone()).collect();
        let all_crawls: Vec<_> = read_crawls(&rows.copied_crawls)?
            .into_iter()
            .chain(own_crawls.clone())
            .collect();
        let nodes = ran::nodes(
            rows.copies.as_ref(),
            &own,
            &own_crawls,
            &ran::Index::new(&all, &all_crawls),
        )?;
        Ok(PreviousRun { record, plan, nodes })
    }

    async fn run_properties(
        &self,
        scope: &Scope,
        run_ids: Vec<String>,
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, Error> {
        let request = Caller::new(scope.clone()).request(internal::BatchGetRunPropertiesRequest { run_ids });
        let mut client =
            SeedServiceClient::new(self.properties.clone()).max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX);
        let answer = client
            .batch_get_run_properties(request)
            .await
            .map_err(|status| Fault::from_status(&status))?;
        Ok(answer
            .into_inner()
            .runs
            .into_iter()
            .map(|(id, run)| (id, run.properties))
            .collect())
    }

    pub(crate) async fn plan_of(
        &self,
        record: &RunRecord,
    ) -> Result<(Arc<WorkflowPlan>, internal::WorkflowPlan), Error> {
        let row = self.store.plan_at(&record.workflow_uid, record.plan_sequence).await?;
        Ok(read_workflow_plan(&row.ok_or(Malformed("plan of a workflow run"))?)?)
    }

    async fn rows_of(&self, run_id: &str) -> Result<Rows, Error> {
        let copies = self.store.copies(run_id).await?;
        let copied = copies.as_ref().map(ran::copied_ids).transpose()?.unwrap_or_default();
        let (copied_job_runs, copied_crawls) = if copied.is_empty() {
            Default::default()
        } else {
            self.store.by_ids(copied).await?
        };
        let job_runs = self.store.job_runs_of_run(run_id).await?;
        let crawls = self.store.crawls_of_run(run_id).await?;
        Ok(Rows {
            copies,
            copied_job_runs,
            copied_crawls,
            job_runs,
            crawls,
        })
    }

    /// The graph of a run as it was, with what ran in its nodes.
    async fn graph(&self, scope: &Scope, record: &RunRecord) -> Result<glue::WorkflowGraph, Error> {
        let (plan, definition) = self.plan_of(record).await?;
        let rows = self.rows_of(&record.id.to_string()).await?;
        let mut details = self.details(&rows)?;
        let triggers: BTreeMap<&str, &glue::Trigger> = definition
            .triggers
            .iter()
            .map(|trigger| (trigger.name(), trigger))
            .collect();
        let unique_id =
            |node: &Node| graph::node_id(&scope.account, &scope.region, &plan.name, node.kind(), node.name());
        let ids: Vec<String> = plan.graph.nodes.iter().map(unique_id).collect();
        let nodes = plan.graph.nodes.iter().enumerate().map(|(index, node)| {
            let (job_runs, crawls) = details.remove(&index).unwrap_or_default();
            to_node(node, ids[index].clone(), &triggers, job_runs, crawls)
        });
        let edges = plan.graph.edges.iter().map(|&(from, to)| glue::Edge {
            source_id: Some(ids[from].clone()),
            destination_id: Some(ids[to].clone()),
        });
        Ok(glue::WorkflowGraph {
            nodes: nodes.collect(),
            edges: edges.collect(),
        })
    }

    /// What ran in each node, as the API shows it, oldest first.
    #[expect(clippy::type_complexity, reason = "a local table of two columns")]
    fn details(&self, rows: &Rows) -> Result<BTreeMap<usize, (Vec<glue::JobRun>, Vec<glue::Crawl>)>, Error> {
        let now = self.clock.now();
        let mut details: BTreeMap<usize, (Vec<glue::JobRun>, Vec<glue::Crawl>)> = BTreeMap::new();
        for row in rows.copied_job_runs.iter().chain(&rows.job_runs) {
            let stored = opened::<internal::StoredJobRun>(&row.data, "job run")?;
            details
                .entry(stored.node as usize)
                .or_default()
                .0
                .push(job_run::shown(stored, now));
        }
        for row in rows.copied_crawls.iter().chain(&rows.crawls) {
            let stored = opened::<internal::StoredCrawl>(&row.data, "crawl")?;
            details.entry(stored.node as usize).or_default().1.extend(stored.crawl);
        }
        Ok(details)
    }
}

fn to_node(
    node: &Node,
    unique_id: String,
    triggers: &BTreeMap<&str, &glue::Trigger>,
    job_runs: Vec<glue::JobRun>,
    crawls: Vec<glue::Crawl>,
) -> glue::Node {
    let mut shown = glue::Node {
        name: Some(node.name().to_owned()),
        unique_id: Some(unique_id),
        ..glue::Node::default()
    };
    match node {
        Node::Trigger { name, .. } => {
            shown.r#type = Some(glue::NodeType::Trigger.into());
            let trigger = triggers.get(name.as_str()).map(|trigger| (*trigger).clone());
            shown.trigger_details = Some(glue::TriggerNodeDetails { trigger });
        }
        Node::Component(treenail_engine::glue::Component::Job(_)) => {
            shown.r#type = Some(glue::NodeType::Job.into());
            shown.job_details = Some(glue::JobNodeDetails { job_runs });
        }
        Node::Component(treenail_engine::glue::Component::Crawler(_)) => {
            shown.r#type = Some(glue::NodeType::Crawler.into());
            shown.crawler_details = Some(glue::CrawlerNodeDetails { crawls });
        }
    }
    shown
}

fn read_workflow_plan(row: &PlanRow) -> Result<(Arc<WorkflowPlan>, internal::WorkflowPlan), Malformed> {
    let plan = opened::<internal::Plan>(&row.data, "plan")?;
    match (Published::parse(&plan)?, plan.subject) {
        (Published::Workflow(parsed), Some(internal::plan::Subject::Workflow(definition))) => Ok((parsed, definition)),
        _ => Err(Malformed("workflow plan")),
    }
}

fn read_crawl(row: &CrawlRow) -> Result<treenail_engine::glue::Crawl, Malformed> {
    let stored = opened::<internal::StoredCrawl>(&row.data, "crawl")?;
    job_run::crawl_from_stored(&row.id, row.run_id.as_deref(), &stored)
}
