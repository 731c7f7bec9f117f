//! The worker's side of the protocol: which tasks it holds, and what it says of them until it is heard.

mod backoff;
mod held;
mod link;
mod trace;

use std::{pin::pin, sync::Arc, time::Duration};

use metrics::{counter, gauge};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
    time::{Instant, Interval, MissedTickBehavior, interval},
};
use tracing::Instrument as _;
use treenail_planted::{
    Bug,
    failpoint::{Step, pass},
    is_planted,
};
use treenail_proto::worker::v1::{
    AssignTask, CancelTask, Draining, Heartbeat, Hello, Outcome, Task, Welcome, work_request, work_response,
};

use self::{
    backoff::Backoff,
    held::{Key, Tasks},
    link::{Event, Link},
};
use crate::{
    config::{Config, Deps},
    outcome,
    task::Execute,
};

/// Tasks that have started and whose start has not been said yet; more wait.
const STARTS_MAX: usize = 256;
/// The shortest time between heartbeats that a run-scheduler may ask for.
const HEARTBEAT_MIN: Duration = Duration::from_millis(10);

/// Keeps a stream to the run-scheduler, and the tasks that came over it.
#[derive(Debug)]
pub(crate) struct Session<E> {
    config: Config,
    executor: Arc<E>,
    link: Link,
    held: Tasks,
    running: JoinSet<(Key, Outcome)>,
    starts: (mpsc::Sender<Key>, mpsc::Receiver<Key>),
    /// Until when the tasks are ours although the run-scheduler is not heard; `None` before the first lease.
    lease: Option<Lease>,
    phase: Phase,
    in_touch: watch::Sender<bool>,
}

/// Says that what a task asked for runs now.
#[derive(Debug)]
pub struct Started {
    key: Key,
    starts: mpsc::Sender<Key>,
}

impl Started {
    /// Says it; returns once the worker has taken note.
    pub async fn say(self) {
        // The session outlives its tasks; were it gone, nobody would hear of the start.
        drop(self.starts.send(self.key).await);
    }
}

/// How far the worker has come with its stopping.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// It takes tasks.
    Serving,
    /// It takes none, and finishes those that it has; then it ends them.
    Draining { until: Instant },
    /// It has ended its tasks and says so; then it gives up.
    Stopping { until: Instant },
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    length: Duration,
    ends: Instant,
}

impl<E: Execute> Session<E> {
    /// A session that is not open yet.
    pub(crate) fn new(config: Config, deps: Deps, executor: Arc<E>) -> Self {
        Session {
            config,
            executor,
            link: Link::new(deps.scheduler, Backoff::new(deps.entropy)),
            held: Tasks::default(),
            running: JoinSet::new(),
            starts: mpsc::channel(STARTS_MAX),
            lease: None,
            phase: Phase::Serving,
            in_touch: deps.in_touch,
        }
    }

    /// Takes and executes tasks until `shutdown`, then finishes those that it has, or ends them, and says so.
    pub(crate) async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        if !self.take_up(&mut shutdown).await {
            return;
        }
        let mut heartbeat = ticks(Duration::from_secs(1));
        let mut again = ticks(self.config.limits.outcome_again);
        while !self.is_done() {
            tokio::select! {
                // In this order, so that a seed gives one run of a simulation; the first of them are seldom ready.
                biased;
                () = &mut shutdown, if matches!(self.phase, Phase::Serving) => self.drain(),
                () = until(self.phase.ends()) => match self.phase {
                    Phase::Serving | Phase::Draining { .. } => self.stop(),
                    Phase::Stopping { .. } => {
                        tracing::warn!(tasks = self.held.len(), "the worker stops before all outcomes are acknowledged");
                        return;
                    }
                },
                () = until(self.lease.map(|lease| lease.ends)) => self.fence(),
                _ = heartbeat.tick() => self.beat(),
                _ = again.tick() => self.say_outcomes(),
                event = self.link.next() => {
                    if let Some(welcome) = self.hear(event) {
                        heartbeat = ticks(millis(welcome.heartbeat_ms).max(HEARTBEAT_MIN));
                    }
                }
                Some(key) = self.starts.1.recv() => self.say_started(&key),
                Some(ended) = self.running.join_next() => self.take_outcome(ended),
            }
            self.in_touch.send_replace(self.link.is_open());
            gauge!("treenail_worker_tasks_running").set(count(self.running.len()));
        }
    }

    /// Goes on with what an earlier process of this worker left running; answers whether it may, or is to stop already.
    async fn take_up(&mut self, shutdown: impl Future<Output = ()>) -> bool {
        let executor = Arc::clone(&self.executor);
        let left = tokio::select! {
            biased;
            () = shutdown => return false,
            left = executor.left() => left,
        };
        for task in left {
            self.execute(task);
        }
        true
    }

    /// Whether the worker was told to stop and has nothing more to say, or after its drain nobody to say it to.
    fn is_done(&self) -> bool {
        let is_silent = match self.phase {
            Phase::Serving => false,
            Phase::Draining { .. } => self.held.is_empty(),
            Phase::Stopping { .. } => self.held.is_empty() || self.link.has_failed(),
        };
        is_silent && self.running.is_empty()
    }

    /// Takes no more tasks; those that there are have the time of the drain to end by themselves.
    fn drain(&mut self) {
        self.link.say(work_request::Message::Draining(Draining {}));
        let drain = self.config.limits.drain_timeout;
        if drain.is_zero() || self.executor.outlives_the_worker() {
            return self.stop();
        }
        tracing::info!(
            tasks = self.held.len(),
            seconds = drain.as_secs(),
            "the worker takes no more tasks and finishes those that it has"
        );
        self.phase = Phase::Draining {
            until: Instant::now() + drain,
        };
    }

    fn stop(&mut self) {
        if self.executor.outlives_the_worker() {
            tracing::info!(
                tasks = self.held.len(),
                "the worker stops and leaves its tasks to its next process"
            );
            self.running = JoinSet::new();
            self.phase = Phase::Stopping { until: Instant::now() };
            self.held.leave_all();
            return;
        }
        tracing::info!(tasks = self.running.len(), "the worker stops and ends its tasks");
        self.phase = Phase::Stopping {
            until: Instant::now() + self.config.limits.stop_timeout,
        };
        self.held.cancel_all();
    }

    /// Ends all tasks: the run-scheduler gives them to others by now, and must not find two of a task.
    fn fence(&mut self) {
        self.lease = None;
        if !self.held.is_empty() {
            tracing::warn!(
                tasks = self.held.len(),
                "the run-scheduler was out of reach for a whole lease; all tasks end"
            );
        }
        for key in self.held.forget_all() {
            self.executor.forget(&key.task_id, key.token);
        }
        // A run-scheduler that still heard of us would wait for them for ever: the next hello tells what is held.
        self.link.give_up();
    }

    /// Acts on what happened to the stream; gives back the terms when it was opened.
    fn hear(&mut self, event: Event) -> Option<Welcome> {
        match event {
            Event::ReadyToOpen => {
                self.link.open(Hello {
                    worker_id: self.config.worker_id.clone(),
                    slots: self.config.slots,
                    held: self.held.named(),
                    draining: !matches!(self.phase, Phase::Serving),
                });
                None
            }
            Event::Opened(welcome) => {
                tracing::info!(lease_ms = welcome.lease_ms, "connected to the run-scheduler");
                let length = millis(welcome.lease_ms);
                self.lease = Some(Lease {
                    length,
                    ends: Instant::now() + length,
                });
                if !matches!(self.phase, Phase::Serving) {
                    // The hello may have been older than the wish to stop.
                    self.link.say(work_request::Message::Draining(Draining {}));
                }
                self.say_starts();
                self.say_outcomes();
                Some(welcome)
            }
            Event::Received(message) => {
                self.obey(*message);
                None
            }
            Event::Lost(status) => {
                tracing::warn!(%status, "the run-scheduler is out of reach");
                None
            }
        }
    }

    fn obey(&mut self, message: work_response::Message) {
        match message {
            work_response::Message::Assign(AssignTask { task: Some(task) }) => self.assign(task),
            work_response::Message::Cancel(CancelTask { task_id, token }) => self.cancel(&Key { task_id, token }),
            work_response::Message::Ack(ack) => {
                pass(Step::OutcomeAcknowledged);
                let key = Key {
                    task_id: ack.task_id,
                    token: ack.token,
                };
                if self.held.acknowledge(&key) {
                    self.executor.forget(&key.task_id, key.token);
                }
            }
            work_response::Message::Welcome(_) | work_response::Message::Assign(AssignTask { task: None }) => {
                tracing::warn!("the run-scheduler said what makes no sense here");
            }
        }
    }

    fn assign(&mut self, task: Task) {
        let key = Key::of(&task);
        if self.held.get(&key).is_some() {
            return;
        }
        // It was on its way when the worker was told to stop.
        if !matches!(self.phase, Phase::Serving) {
            self.link.say(key.declined());
            return;
        }
        pass(Step::TaskTaken);
        self.execute(task);
    }

    /// Holds a task from now on, and executes it.
    fn execute(&mut self, mut task: Task) {
        let key = Key::of(&task);
        let cancel = self.held.take(key.clone());
        let executor = Arc::clone(&self.executor);
        let started = Started {
            key: key.clone(),
            starts: self.starts.0.clone(),
        };
        let held = key.clone();
        let span = trace::begin(&mut task);
        let running = self.running.spawn(async move {
            let outcome = executor.execute(&task, &cancel, started).instrument(span.clone()).await;
            trace::end(&span, &outcome);
            (key, outcome)
        });
        self.held.attach(&held, running.id());
    }

    fn cancel(&mut self, key: &Key) {
        match self.held.get(key) {
            Some(held) => held.cancel.cancel(),
            // Whoever asks for it waits for an end, and here it is.
            None => {
                self.link.say(key.finished(outcome::cancelled()));
            }
        }
    }

    fn say_started(&mut self, key: &Key) {
        if self.held.start(key) {
            self.link.say(key.started());
        }
    }

    fn say_starts(&mut self) {
        for key in self.held.started() {
            self.link.say(key.started());
        }
    }

    fn take_outcome(&mut self, ended: Result<(Key, Outcome), JoinError>) {
        // Starts wait in a queue of their own, and a start is said before its end.
        while let Ok(started) = self.starts.1.try_recv() {
            self.say_started(&started);
        }
        let ended = ended.or_else(|error| {
            tracing::error!(%error, "a task of the worker panicked");
            self.held
                .attached(error.id())
                .map(|key| (key, outcome::worker_failed()))
                .ok_or(error)
        });
        if let Ok((key, outcome)) = ended
            && self.held.end(&key, outcome.clone())
        {
            counter!("treenail_worker_tasks_ended_total", "result" => outcome.result().as_str_name()).increment(1);
            pass(Step::TaskEnded);
            self.link.say(key.finished(outcome));
        }
    }

    fn say_outcomes(&mut self) {
        if is_planted(Bug::OutcomeSaidOnce) {
            return;
        }
        for (key, outcome) in self.held.outcomes() {
            self.link.say(key.finished(outcome));
        }
    }

    fn beat(&mut self) {
        if self.link.is_open()
            && self.link.say(work_request::Message::Heartbeat(Heartbeat {}))
            && let Some(lease) = &mut self.lease
        {
            lease.ends = Instant::now() + lease.length;
        }
    }
}

impl Phase {
    /// When the next phase begins, or the worker gives up; `None` while nothing but a signal ends it.
    fn ends(self) -> Option<Instant> {
        match self {
            Phase::Serving => None,
            Phase::Draining { until } | Phase::Stopping { until } => Some(until),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of tasks is small")]
fn count(tasks: usize) -> f64 {
    tasks as f64
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn millis(count: u32) -> Duration {
    Duration::from_millis(count.into())
}

/// Completes at a time, or never when there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
