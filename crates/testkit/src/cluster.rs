//! The processes of a simulation, their disks, and what can be done to them.

mod freeze;

use std::{
    future::pending,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task::JoinHandle, time::Instant};
use treenail_control_plane::store::memory::MemoryStore as Definitions;
use treenail_properties_store::store::memory::Memory as Properties;
use treenail_rpc::{Channel, Clock, Entropy, in_process};
use treenail_run_scheduler::store::memory::MemoryStore as Runs;
use treenail_storage::disk::{Disk, Fate};

use self::freeze::Freezer;
use crate::{
    check::Violation,
    executor::{Executions, Waiting},
    network::Network,
    node::Node,
    random::Random,
};

/// When simulations begin: a Saturday at noon, in milliseconds since the Unix epoch.
pub const BEGINNING_MS: i64 = 1_773_489_600_000;
/// How many tasks a worker runs at once.
const SLOTS: u32 = 4;

/// All processes of a simulation.
#[derive(Debug)]
pub struct Cluster {
    random: Random,
    /// What lies between them.
    pub network: Network,
    /// What the workers did.
    pub executions: Executions,
    clock: Wall,
    disks: Disks,
    /// Where definitions are made.
    pub control_plane: Node,
    /// Where runs run.
    pub run_scheduler: Node,
    /// Where properties are.
    pub properties_store: Node,
    workers: Vec<Worker>,
}

/// The wall clock of the machine that all of it runs on.
#[derive(Debug, Clone)]
struct Wall {
    began: Instant,
    offset_ms: Arc<AtomicI64>,
    went_back: Arc<AtomicBool>,
}

/// The disks, which outlive the processes.
#[derive(Debug, Clone)]
struct Disks {
    trouble: Arc<Trouble>,
    definitions: Definitions,
    runs: Runs,
    properties: Properties,
}

/// How bad the disks are.
#[derive(Debug, Default)]
struct Trouble {
    /// How long a write takes at the most, in milliseconds.
    delay_ms_max: AtomicU64,
    /// How many of a thousand writes fail, one way or the other.
    failing: AtomicU64,
    faults: AtomicU64,
    /// Tells the properties-store that it has to end, as a failed write ends a real one.
    properties_failed: Notify,
    /// Where a process is to crash.
    crash_point: Mutex<Option<CrashPoint>>,
    /// Tells which process has reached it.
    reached: Mutex<Option<Owner>>,
}

/// A place in a write at which the process that writes crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashPoint {
    /// How many writes, of whichever process, go well before.
    pub after_writes: u64,
    /// Whether the write is durable by then, and not answered.
    pub is_durable: bool,
}

/// Whose disk it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    ControlPlane,
    RunScheduler,
    PropertiesStore,
}

/// Longer than any simulation: nobody waits for the end of a write in which its process crashes.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// A worker, which may be frozen while the world goes on.
#[derive(Debug)]
struct Worker {
    id: String,
    freezer: Freezer,
    frozen_until: Instant,
    is_lost: bool,
    work: Option<JoinHandle<()>>,
}

impl Cluster {
    /// Starts all processes. Call it within a paused tokio runtime.
    #[must_use]
    pub fn start(random: &Random, workers: usize) -> Cluster {
        let disks = Disks::new(random);
        let mut cluster = Cluster {
            random: random.clone(),
            network: Network::new(random.clone()),
            executions: Executions::default(),
            clock: Wall {
                began: Instant::now(),
                offset_ms: Arc::default(),
                went_back: Arc::default(),
            },
            disks,
            control_plane: Node::new("the control-plane"),
            run_scheduler: Node::new("the run-scheduler"),
            properties_store: Node::new("the properties-store"),
            workers: Vec::new(),
        };
        cluster.revive();
        for number in 0..workers {
            cluster.workers.push(Worker {
                id: format!("worker-{number}"),
                freezer: Freezer::default(),
                frozen_until: Instant::now(),
                is_lost: false,
                work: None,
            });
            cluster.start_worker(number);
        }
        cluster
    }

    /// Starts every process that is down, and thaws the workers.
    pub fn revive(&mut self) {
        if self.properties_store.current().is_none() {
            self.start_properties_store();
        }
        if self.run_scheduler.current().is_none() {
            self.start_run_scheduler();
        }
        if self.control_plane.current().is_none() {
            self.start_control_plane();
        }
        for number in 0..self.workers.len() {
            if self.workers[number].frozen_until <= Instant::now() {
                self.workers[number].freezer.thaw();
            }
            let is_down = self.workers[number].work.as_ref().is_none_or(JoinHandle::is_finished);
            if is_down && !self.workers[number].is_lost {
                self.start_worker(number);
            }
        }
    }

    /// Crashes a worker; its process comes back with the next [`Cluster::revive`].
    pub fn crash_worker(&mut self, number: usize) {
        if let Some(work) = self.workers.get_mut(number).and_then(|worker| worker.work.take()) {
            work.abort();
        }
    }

    /// Crashes a worker whose machine never comes back.
    pub fn lose_worker(&mut self, number: usize) {
        self.crash_worker(number);
        if let Some(worker) = self.workers.get_mut(number) {
            worker.is_lost = true;
        }
    }

    /// Stops a worker in the middle of whatever it does, until a [`Cluster::revive`] after some time; its jobs go on.
    pub fn freeze_worker(&mut self, number: usize, time: Duration) {
        if let Some(worker) = self.workers.get_mut(number) {
            worker.freezer.freeze();
            worker.frozen_until = Instant::now() + time;
        }
    }

    /// Lets all workers go on.
    pub fn thaw(&mut self) {
        for worker in &mut self.workers {
            worker.frozen_until = Instant::now();
        }
        self.revive();
    }

    /// How many workers there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Steps the wall clock, forward or back.
    pub fn step_clock(&self, by_ms: i64) {
        self.clock.offset_ms.fetch_add(by_ms, Ordering::Relaxed);
        self.clock.went_back.fetch_or(by_ms < 0, Ordering::Relaxed);
    }

    /// Whether the wall clock was ever set back.
    #[must_use]
    pub fn clock_went_back(&self) -> bool {
        self.clock.went_back.load(Ordering::Relaxed)
    }

    /// Lets a process crash in the middle of a write.
    pub fn set_crash_point(&self, point: CrashPoint) {
        *lock(&self.disks.trouble.crash_point) = Some(point);
    }

    /// Crashes the process that has reached the crash point; says whether one had.
    pub fn crash_at_point(&self) -> bool {
        let reached = lock(&self.disks.trouble.reached).take();
        match reached {
            None => return false,
            Some(Owner::ControlPlane) => self.control_plane.crash(),
            Some(Owner::RunScheduler) => self.run_scheduler.crash(),
            Some(Owner::PropertiesStore) => self.properties_store.crash(),
        }
        true
    }

    /// Makes the disks slow, and lets writes fail.
    pub fn set_disk_trouble(&self, delay_ms_max: u64, failing_per_mille: u64) {
        self.disks.trouble.delay_ms_max.store(delay_ms_max, Ordering::Relaxed);
        self.disks.trouble.failing.store(failing_per_mille, Ordering::Relaxed);
    }

    /// How many faults the disks have had.
    #[must_use]
    pub fn disk_faults(&self) -> u64 {
        self.disks.trouble.faults.load(Ordering::Relaxed)
    }

    fn start_properties_store(&self) {
        let service = treenail_properties_store::build(
            treenail_properties_store::Config::default(),
            treenail_properties_store::Deps {
                store: self.disks.properties.clone(),
            },
        );
        let trouble = Arc::clone(&self.disks.trouble);
        let until_a_write_fails = async move { trouble.properties_failed.notified().await };
        self.properties_store
            .start(in_process(service.routes()), Some(until_a_write_fails));
    }

    fn start_run_scheduler(&self) {
        let service = treenail_run_scheduler::build(
            treenail_run_scheduler::Config::default(),
            treenail_run_scheduler::Deps {
                store: self.disks.runs.clone(),
                properties: self.network.channel_to(&self.properties_store),
                clock: self.clock.of_a_process(),
                entropy: self.entropy(),
                // Jobs of a simulation write nothing.
                logs: Path::new(""),
            },
        );
        let channel = in_process(service.routes());
        let work = async move {
            // A commit that failed ends the process.
            drop(service.run(pending()).await);
        };
        self.run_scheduler.start(channel, Some(work));
    }

    fn start_control_plane(&self) {
        let service = treenail_control_plane::build(
            treenail_control_plane::Config::default(),
            treenail_control_plane::Deps {
                store: self.disks.definitions.clone(),
                scheduler: self.network.channel_to(&self.run_scheduler),
                clock: self.clock.of_a_process(),
                entropy: self.entropy(),
            },
        );
        let channel = in_process(service.routes());
        self.control_plane.start(channel, Some(service.run(pending())));
    }

    fn start_worker(&mut self, number: usize) {
        let worker = &mut self.workers[number];
        let executor = Waiting {
            random: self.random.clone(),
            executions: self.executions.clone(),
        };
        let config = treenail_worker::Config {
            worker_id: worker.id.clone(),
            slots: SLOTS,
            ..treenail_worker::Config::default()
        };
        let deps = treenail_worker::Deps {
            scheduler: self.network.channel_to(&self.run_scheduler),
            entropy: Entropy::seeded(self.random.below(u64::MAX)),
            in_touch: tokio::sync::watch::Sender::new(false),
        };
        let work = treenail_worker::run_with(config, deps, executor, pending());
        worker.work = Some(tokio::spawn(worker.freezer.freezing(work)));
    }

    fn entropy(&self) -> Entropy {
        self.random.entropy()
    }

    /// No process may have panicked, whatever went wrong.
    ///
    /// # Errors
    /// The first one that has.
    pub fn check_panics(&self) -> Result<(), Violation> {
        let nodes = [&self.control_plane, &self.run_scheduler, &self.properties_store];
        match nodes.into_iter().find(|node| node.has_panicked()) {
            Some(node) => Err(Violation(format!("{} panicked", node.name()))),
            None => Ok(()),
        }
    }

    /// A channel for clients to a process.
    #[must_use]
    pub fn channel_to(&self, node: &Node) -> Channel {
        self.network.channel_to(node)
    }
}

impl Wall {
    /// The clock that a process starts with now.
    fn of_a_process(&self) -> Clock {
        let wall = self.clone();
        Clock::following(move || {
            let elapsed = i64::try_from(wall.began.elapsed().as_millis()).unwrap_or(i64::MAX);
            BEGINNING_MS + elapsed + wall.offset_ms.load(Ordering::Relaxed)
        })
    }
}

impl Disks {
    fn new(random: &Random) -> Disks {
        let trouble = Arc::new(Trouble::default());
        let disk = |owner: Owner| {
            let (trouble, random) = (Arc::clone(&trouble), random.clone());
            Disk::deciding(move || trouble.decide(&random, owner))
        };
        Disks {
            definitions: Definitions::on(disk(Owner::ControlPlane)),
            runs: Runs::on(disk(Owner::RunScheduler)),
            properties: Properties::on(disk(Owner::PropertiesStore)),
            trouble,
        }
    }
}

impl Trouble {
    fn decide(&self, random: &Random, owner: Owner) -> Fate {
        if let Some(fate) = self.crash(owner) {
            return fate;
        }
        let failing = self.failing.load(Ordering::Relaxed);
        if failing > 0 && random.happens(failing) {
            self.faults.fetch_add(1, Ordering::Relaxed);
            if owner == Owner::PropertiesStore {
                self.properties_failed.notify_waiters();
            }
            return if random.happens(500) {
                Fate::Refused
            } else {
                Fate::AnswerLost
            };
        }
        let most = self.delay_ms_max.load(Ordering::Relaxed);
        Fate::Written {
            before: random.up_to_ms(most),
            after: random.up_to_ms(most),
        }
    }

    /// What becomes of a write in which its process crashes.
    fn crash(&self, owner: Owner) -> Option<Fate> {
        let mut point = lock(&self.crash_point);
        let CrashPoint {
            after_writes,
            is_durable,
        } = (*point)?;
        if after_writes > 0 {
            *point = Some(CrashPoint {
                after_writes: after_writes - 1,
                is_durable,
            });
            return None;
        }
        *point = None;
        *lock(&self.reached) = Some(owner);
        let (before, after) = if is_durable {
            (Duration::ZERO, FOR_EVER)
        } else {
            (FOR_EVER, Duration::ZERO)
        };
        Some(Fate::Written { before, after })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
