//! The shell around the engine: one loop that takes a batch of events, lets the engine step through them, commits all
//! the rows in one transaction, and only then answers and acts.

mod batch;
mod clock;
mod effects;
mod event;
mod invocations;
mod leases;
mod measure;
mod restore;
mod seeds;
mod sessions;
mod traces;

use std::{collections::BTreeMap, future::Future};

pub(crate) use event::{Answer, Connect, Event, Handle, Intake};
use tokio::{task::JoinSet, time::Instant};
use treenail_engine::{
    Timestamp,
    glue::{Input, Output, Rejected, Reply, Shard},
    ids::{JobRunId, WorkflowRunId},
    task::{Pool, WorkerId},
};
use treenail_rpc::{
    Channel, Clock, Entropy, Scope,
    telemetry::{TraceContext, spans},
};

use self::{batch::Batch, invocations::Invocations, seeds::Seeds, sessions::Sessions, traces::Traces};
use crate::{config::Config, logs::Logs, news::News, retention::Sweeper, store::Store};

/// How many events one step of the loop takes at the most.
const BATCH_EVENTS_MAX: usize = 1_024;
/// How often old runs are looked for.
const SWEEP_INTERVAL: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Why the loop ended.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// What is in memory is no longer known to be what is stored.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}

/// What the loop works with.
#[derive(Debug, Clone)]
pub(crate) struct Context<S> {
    pub(crate) config: Config,
    pub(crate) store: S,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) properties: Channel,
    pub(crate) logs: Logs,
    pub(crate) news: News,
    pub(crate) sweeper: Sweeper<S>,
}

/// All that runs, and the one task that changes it.
#[derive(Debug)]
pub(crate) struct Scheduler<S> {
    context: Context<S>,
    shards: BTreeMap<Scope, Shard>,
    /// Whose job runs are which; only those that have not ended.
    scopes: BTreeMap<JobRunId, Scope>,
    pool: Pool<JobRunId>,
    holders: BTreeMap<JobRunId, WorkerId>,
    /// Since when workers that hold job runs are away.
    absent: BTreeMap<WorkerId, Instant>,
    sessions: Sessions,
    /// Who waits for a workflow run to have its properties.
    starting: BTreeMap<WorkflowRunId, Vec<effects::StartingReply>>,
    invocations: Invocations,
    traces: Traces,
    seeds: Seeds,
    sweeps: JoinSet<()>,
    batch: Batch,
}

impl<S: Store> Scheduler<S> {
    /// Reads what has not ended and goes on with it.
    pub(crate) async fn restore(context: Context<S>) -> Result<Self, Fatal> {
        let stored = context.store.load().await?;
        let mut scheduler = Self {
            seeds: Seeds::new(context.properties.clone()),
            context,
            shards: BTreeMap::new(),
            scopes: BTreeMap::new(),
            pool: Pool::default(),
            holders: BTreeMap::new(),
            absent: BTreeMap::new(),
            sessions: Sessions::default(),
            starting: BTreeMap::new(),
            invocations: Invocations::default(),
            traces: Traces::default(),
            sweeps: JoinSet::new(),
            batch: Batch::default(),
        };
        for scope in stored {
            scheduler.restore_scope(scope);
        }
        scheduler.flush().await?;
        Ok(scheduler)
    }

    /// Runs until it is asked to end or can no longer commit.
    pub(crate) async fn run(
        mut self,
        mut intake: Intake,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Fatal> {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut events = Vec::with_capacity(BATCH_EVENTS_MAX);
        let mut sweep_at = Instant::now();
        loop {
            let clock = self.context.clock.clone();
            let timer = self.next_timer();
            let lease_ends = self.next_lease_end();
            tokio::select! {
                // In this order, so that a seed gives one run of a simulation; the first of them are seldom ready.
                biased;
                () = &mut shutdown => break,
                Some(seeded) = self.seeds.next() => self.seeded(seeded),
                () = sleep_until(lease_ends) => self.end_leases(),
                () = tokio::time::sleep_until(sweep_at) => {
                    sweep_at = Instant::now() + SWEEP_INTERVAL;
                    self.sweep();
                }
                Some(_) = self.sweeps.join_next() => {}
                received = intake.recv_many(&mut events, BATCH_EVENTS_MAX) => if received == 0 { break },
                () = wait_until(&clock, timer) => {}
            }
            self.tick();
            for event in events.drain(..) {
                self.handle(event).await?;
            }
            self.flush().await?;
        }
        self.sessions.close();
        Ok(())
    }

    async fn handle(&mut self, event: Event) -> Result<(), Fatal> {
        match event {
            Event::Call {
                scope,
                input,
                key,
                trace,
                reply,
            } => self.call(&scope, *input, (key, trace), reply),
            Event::Publish {
                scope,
                plan,
                row,
                reply,
            } => self.publish(&scope, plan, *row, reply),
            Event::Connect(connect) => self.connect(connect),
            Event::Disconnect { worker, session } => self.disconnect(&worker, session),
            Event::Said {
                worker,
                session,
                message,
            } => self.said(&worker, session, message),
            Event::Owns { job_run, token, reply } => {
                let owns = self
                    .shard_of(job_run)
                    .and_then(|shard| shard.job_run(job_run))
                    .is_some_and(|run| run.token == token);
                // Whoever asked may have gone.
                let _gone = reply.send(owns);
            }
            Event::SetClock { to, reply } => self.set_clock(to, reply).await?,
        }
        Ok(())
    }

    /// Lets a scope's shard take a step, and takes in what concerns the pool of workers.
    fn apply(&mut self, scope: &Scope, input: Input) -> Result<Reply, Rejected> {
        self.apply_for(scope, input, None)
    }

    /// The same, for a request that belongs to a trace: what it starts belongs to that trace too.
    fn apply_for(&mut self, scope: &Scope, input: Input, trace: Option<&TraceContext>) -> Result<Reply, Rejected> {
        let now = self.context.clock.now();
        let is_tick = matches!(input, Input::Tick);
        if !self.shards.contains_key(scope) {
            let shard = Shard::new(
                &scope.account,
                &scope.region,
                self.context.config.policy(),
                self.context.entropy.bytes(),
            );
            self.shards.insert(scope.clone(), shard);
        }
        let shard = self.shards.get_mut(scope).expect("made above");
        let mut out = Output::default();
        let reply = shard.apply(now, input, &mut out)?;
        // What falls due was asked for by nobody: a trace may begin with it.
        let due = if is_tick && traces::has_started(&out) {
            TraceContext::of(&spans::root("start what is due"))
        } else {
            None
        };
        let traces = self.traces.note(scope, &out, trace.or(due.as_ref()));
        self.batch.changes.traces.extend(traces);
        for effect in &out.effects {
            self.take_in(scope, effect);
        }
        self.batch.add(scope, out);
        Ok(reply)
    }

    /// Hands waiting job runs to workers with free slots.
    fn assign(&mut self) {
        while let Some((job_run, worker)) = self.pool.assign() {
            self.holders.insert(job_run, worker.clone());
            let scope = self.scopes.get(&job_run).cloned();
            let leased = scope.is_some_and(|scope| {
                self.apply(
                    &scope,
                    Input::Leased {
                        job_run,
                        worker: worker.clone(),
                    },
                )
                .is_ok()
            });
            if !leased {
                self.let_go(job_run);
            }
        }
    }

    fn tick(&mut self) {
        let now = self.context.clock.now();
        let due: Vec<Scope> = self
            .shards
            .iter()
            .filter(|(_, shard)| shard.next_timer().is_some_and(|at| at <= now))
            .map(|(scope, _)| scope.clone())
            .collect();
        for scope in due {
            let ticked = self.apply(&scope, Input::Tick);
            debug_assert!(ticked.is_ok(), "time is never refused");
        }
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.shards.values().filter_map(Shard::next_timer).min()
    }

    fn shard_of(&self, job_run: JobRunId) -> Option<&Shard> {
        self.shards.get(self.scopes.get(&job_run)?)
    }

    fn sweep(&mut self) {
        let sweeper = self.context.sweeper.clone();
        self.sweeps.spawn(async move { sweeper.sweep().await });
    }
}

async fn wait_until(clock: &Clock, time: Option<Timestamp>) {
    match time {
        Some(time) => clock.wait_until(time).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
