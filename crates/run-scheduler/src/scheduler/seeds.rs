//! Runs get their properties: told to the properties-store until it has them.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::oneshot, task::JoinSet};
use tracing::Instrument as _;
use treenail_engine::ids::WorkflowRunId;
use treenail_planted::failpoint::{Step, pass};
use treenail_proto::internal::v1::{self as internal, seed_service_client::SeedServiceClient};
use treenail_rpc::{
    Channel, Scope,
    limits::GRPC_MESSAGE_BYTES_MAX,
    telemetry::{TraceContext, spans::follow_up},
};

/// How many seeds one call carries at the most.
const SEEDS_PER_CALL_MAX: usize = 100;
/// How many bytes of properties one call carries, unless one seed alone has more.
const BYTES_PER_CALL_MAX: usize = GRPC_MESSAGE_BYTES_MAX / 4;
/// How long the first wait after a failed call is; each next one is twice as long.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// How long a wait is at the most.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The properties that a run starts with.
#[derive(Debug)]
pub(super) struct Seed {
    pub(super) scope: Scope,
    /// The trace that the run belongs to.
    pub(super) trace: Option<TraceContext>,
    pub(super) run: WorkflowRunId,
    pub(super) workflow: String,
    pub(super) copy_from: Option<WorkflowRunId>,
    pub(super) properties: BTreeMap<String, String>,
}

/// The seeds that are on their way.
#[derive(Debug)]
pub(super) struct Seeds {
    properties: Channel,
    calls: JoinSet<Vec<(Scope, WorkflowRunId)>>,
    /// Who waits until none is on its way.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Seeds {
    pub(super) fn new(properties: Channel) -> Self {
        Self {
            properties,
            calls: JoinSet::new(),
            waiting: Vec::new(),
        }
    }

    /// Sends seeds on their way.
    pub(super) fn plant(&mut self, seeds: Vec<Seed>) {
        let (mut call, mut bytes) = (Vec::new(), 0);
        for seed in seeds {
            let size: usize = seed.properties.iter().map(|(key, value)| key.len() + value.len()).sum();
            if call.len() >= SEEDS_PER_CALL_MAX || bytes + size > BYTES_PER_CALL_MAX && !call.is_empty() {
                self.spawn(std::mem::take(&mut call));
                bytes = 0;
            }
            bytes += size;
            call.push(seed);
        }
        if !call.is_empty() {
            self.spawn(call);
        }
    }

    /// The next seeds that the properties-store has.
    pub(super) async fn next(&mut self) -> Option<Vec<(Scope, WorkflowRunId)>> {
        let ended = self.calls.join_next().await?;
        if self.calls.is_empty() {
            for waiting in self.waiting.drain(..) {
                // Whoever waited may have gone.
                let _gone = waiting.send(());
            }
        }
        match ended {
            Ok(seeded) => Some(seeded),
            Err(error) => {
                tracing::error!(%error, "a seed was lost on its way; it is sent again after a restart");
                Some(Vec::new())
            }
        }
    }

    /// Completes once none is on its way.
    pub(super) fn arrival(&mut self) -> oneshot::Receiver<()> {
        let (waiting, arrived) = oneshot::channel();
        if self.calls.is_empty() {
            let _here = waiting.send(());
        } else {
            self.waiting.push(waiting);
        }
        arrived
    }

    fn spawn(&mut self, seeds: Vec<Seed>) {
        let client = SeedServiceClient::new(self.properties.clone())
            .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX);
        // A call that carries several runs' seeds is shown in the trace of the first that has one.
        let trace = seeds.iter().find_map(|seed| seed.trace.as_ref());
        let span = follow_up("seed run properties", trace);
        self.calls.spawn(send(client, seeds).instrument(span));
    }
}

async fn send(mut client: SeedServiceClient<Channel>, seeds: Vec<Seed>) -> Vec<(Scope, WorkflowRunId)> {
    let runs: Vec<_> = seeds.iter().map(|seed| (seed.scope.clone(), seed.run)).collect();
    let request = internal::SeedRunPropertiesRequest {
        seeds: seeds.into_iter().map(to_message).collect(),
    };
    pass(Step::Seeding);
    let mut wait = RETRY_FIRST;
    // A seed may be repeated, so it is repeated until it is known to be there.
    while let Err(status) = client.seed_run_properties(request.clone()).await {
        tracing::warn!(%status, runs = runs.len(), "the properties-store did not take seeds; trying again");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
    pass(Step::Seeded);
    runs
}

fn to_message(seed: Seed) -> internal::Seed {
    internal::Seed {
        account: seed.scope.account,
        region: seed.scope.region,
        workflow_name: seed.workflow,
        run_id: seed.run.to_string(),
        copy_from_run_id: seed.copy_from.map(|id| id.to_string()).unwrap_or_default(),
        properties: seed.properties,
    }
}
