//! One simulation: a workload, everything that can go wrong for a while, then nothing more, and the judgement.

use std::time::Duration;

use tokio::{runtime::Builder, task::JoinSet};

use crate::{
    check::{self, Evidence, Violation},
    client::Client,
    cluster::{Cluster, CrashPoint},
    history::{Answer, Call, End, History},
    network::Weather,
    random::Random,
    workload::{Workload, working_time},
};

/// How many calls each client makes.
const CALLS: u32 = 40;
/// How many clients there are.
const CLIENTS: usize = 3;
/// How many calls each client makes when only one fault is looked for.
const CALLS_TO_CRASH: u32 = 4;
/// How long the last of these may take, repetitions and all.
const LAST_CALLS: Duration = Duration::from_secs(60);
/// How many workers there are.
const WORKERS: usize = 3;
/// How long passes between two faults of processes at the most, in milliseconds.
const FAULT_MS_MAX: u64 = 2_500;
/// How long a worker is frozen at the most, in milliseconds: longer than a lease.
const FREEZE_MS_MAX: u64 = 60_000;
/// How often a job is tried to be started in the end.
///
/// A wall clock that was set back delays what is due by as much: a retry that holds a slot may wait for minutes.
const PROBES_MAX: u32 = 80;
/// How long passes between two of these.
const PROBE_PAUSE: Duration = Duration::from_secs(15);
/// How long everything has to heal, once nothing goes wrong any more.
const HEALING: Duration = Duration::from_secs(1_800);

/// What a simulation was.
#[derive(Debug, Clone)]
pub struct Report {
    /// How many faults there were.
    pub faults: u64,
    /// How long it took in virtual time.
    pub simulated: Duration,
    /// How many calls clients made.
    pub operations: usize,
    /// How many workflow runs there were.
    pub runs: usize,
    /// Everything that was seen, in words: equal for two runs of one seed.
    pub trace: String,
    /// What was broken.
    pub judgement: Result<(), Violation>,
}

/// Runs the simulation of a seed.
///
/// # Panics
/// When a runtime cannot be built, or when anything of it panics.
#[must_use]
pub fn run(seed: u64) -> Report {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets needs nothing of the machine");
    runtime.block_on(simulate(seed))
}

/// Runs the workload of a seed without any fault but one: a process crashes at a place in one of its writes.
///
/// Gives nothing when the workload writes less.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_to_crash_point(seed: u64, point: CrashPoint) -> Option<Report> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets needs nothing of the machine");
    runtime.block_on(simulate_crash(seed, point))
}

async fn simulate_crash(seed: u64, point: CrashPoint) -> Option<Report> {
    let began = tokio::time::Instant::now();
    let mut world = match World::start(seed).await {
        Ok(world) => world,
        Err(report) => return Some(report),
    };
    world.cluster.set_crash_point(point);
    let mut clients = world.spawn_clients(CALLS_TO_CRASH);
    let mut has_crashed = false;
    let end = tokio::time::Instant::now() + working_time(CALLS_TO_CRASH) + LAST_CALLS;
    while tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if world.cluster.crash_at_point() {
            has_crashed = true;
            tokio::time::sleep(Duration::from_millis(500)).await;
            world.cluster.revive();
        }
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client does not panic");
    }
    let report = world.judge(u64::from(has_crashed), began).await;
    has_crashed.then_some(report)
}

async fn simulate(seed: u64) -> Report {
    let began = tokio::time::Instant::now();
    let mut world = match World::start(seed).await {
        Ok(world) => world,
        Err(report) => return report,
    };
    let mut clients = world.spawn_clients(CALLS);
    let mut chaos = Chaos {
        random: world.random.clone(),
        faults: 0,
    };
    chaos.reign(&mut world.cluster, working_time(CALLS) / 2).await;
    world.cluster.network.set_weather(Weather::default());
    world.cluster.set_disk_trouble(2, 0);
    world.cluster.thaw();
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client does not panic");
    }
    world.judge(chaos.faults, began).await
}

/// A cluster with its workload, and a client.
struct World {
    random: Random,
    cluster: Cluster,
    workload: Workload,
    client: Client,
    history: History,
}

impl World {
    /// Starts a cluster and defines its workload; a report when that is not possible.
    async fn start(seed: u64) -> Result<World, Report> {
        let random = Random::seeded(seed);
        let cluster = Cluster::start(&random, WORKERS);
        let control_plane = cluster.channel_to(&cluster.control_plane);
        let workload = Workload::define(&control_plane, &random)
            .await
            .map_err(|status| Report::failed(format!("the workload could not be defined: {status}")))?;
        let history = History::default();
        let client = Client {
            run_scheduler: cluster.channel_to(&cluster.run_scheduler),
            properties_store: cluster.channel_to(&cluster.properties_store),
            random: random.clone(),
            history: history.clone(),
        };
        Ok(World {
            random,
            cluster,
            workload,
            client,
            history,
        })
    }

    fn spawn_clients(&self, calls: u32) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (client, workload) = (self.client.clone(), self.workload.clone());
            let name = format!("client-{number}");
            clients.spawn(async move { workload.exercise(&client, &name, calls).await });
        }
        clients
    }

    /// Lets everything heal, and judges what was seen.
    async fn judge(mut self, faults: u64, began: tokio::time::Instant) -> Report {
        let healed = probe(&self.client, &self.workload).await;
        let mut end = settle(&self.client, &self.workload, &mut self.cluster).await;
        end.clock_went_back = self.cluster.clock_went_back();
        read_properties(&self.client, &end).await;
        let (operations, executions) = (self.history.operations(), self.cluster.executions.all());
        let evidence = Evidence {
            operations: &operations,
            end: &end,
            executions: &executions,
        };
        Report {
            faults: faults + self.cluster.network.faults() + self.cluster.disk_faults(),
            simulated: began.elapsed(),
            operations: operations.len(),
            runs: end.runs.len(),
            judgement: healed
                .and_then(|()| self.cluster.check_panics())
                .and_then(|()| check::all(&evidence)),
            trace: format!("{evidence:#?}"),
        }
    }
}

impl Report {
    fn failed(why: String) -> Report {
        Report {
            faults: 0,
            simulated: Duration::ZERO,
            operations: 0,
            runs: 0,
            trace: String::new(),
            judgement: Err(Violation(why)),
        }
    }
}

/// What goes wrong with processes, disks, clocks and the network.
struct Chaos {
    random: Random,
    faults: u64,
}

impl Chaos {
    async fn reign(&mut self, cluster: &mut Cluster, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end {
            tokio::time::sleep(self.random.up_to_ms(FAULT_MS_MAX)).await;
            if self.random.happens(400) {
                cluster.revive();
            } else {
                self.faults += 1;
                self.strike(cluster);
            }
        }
    }

    fn strike(&self, cluster: &mut Cluster) {
        let worker = usize::try_from(self.random.below(WORKERS as u64)).unwrap_or_default();
        match self.random.below(11) {
            // Never all of them.
            10 if self.random.happens(300) => cluster.lose_worker(WORKERS - 1),
            0 | 1 => cluster.run_scheduler.crash(),
            2 => cluster.properties_store.crash(),
            3 => cluster.control_plane.crash(),
            4 => cluster.crash_worker(worker),
            5 => cluster.freeze_worker(worker, self.random.up_to_ms(FREEZE_MS_MAX)),
            6 => {
                // Up to three minutes, either way.
                let by = i64::try_from(self.random.below(360_001)).unwrap_or_default() - 180_000;
                cluster.step_clock(by);
            }
            7 => {
                let failing = if self.random.happens(500) { 30 } else { 0 };
                cluster.set_disk_trouble(self.random.below(200), failing);
            }
            _ => cluster.network.set_weather(self.weather()),
        }
    }

    fn weather(&self) -> Weather {
        let often = |most| {
            if self.random.happens(500) {
                self.random.below(most)
            } else {
                0
            }
        };
        Weather {
            delay_ms_max: self.random.below(100),
            late: often(20),
            late_ms_max: 40_000,
            lost_request: often(100),
            lost_answer: often(100),
            repeated: often(100),
            cut: often(50),
        }
    }
}

/// Sees whether every job can be started once all is well: a slot that leaked stays taken.
async fn probe(client: &Client, workload: &Workload) -> Result<(), Violation> {
    for job in &workload.jobs {
        let mut refusals = Vec::new();
        for attempt in 0..PROBES_MAX {
            let call = Call::StartJobRun {
                job: job.clone(),
                tag: format!("probe-{job}-{attempt}"),
            };
            match client.perform(call).await {
                Answer::Done(_) => {
                    refusals.clear();
                    break;
                }
                refusal => refusals.push(refusal),
            }
            // Clients' runs may still be at work.
            tokio::time::sleep(PROBE_PAUSE).await;
        }
        if let Some(refusal) = refusals.last() {
            return Err(Violation(format!("{job} cannot be started any more: {refusal:?}")));
        }
    }
    Ok(())
}

/// Waits until all that runs has ended, or should have by now.
async fn settle(client: &Client, workload: &Workload, cluster: &mut Cluster) -> End {
    let deadline = tokio::time::Instant::now() + HEALING;
    loop {
        tokio::time::sleep(Duration::from_secs(20)).await;
        // What crashed by itself, because a commit failed just before all went well again.
        cluster.revive();
        let end = read(client, workload).await;
        let is_over = tokio::time::Instant::now() >= deadline;
        if let Some(end) = end
            && (is_over || end.has_settled())
        {
            return end;
        }
        if is_over {
            return End::default();
        }
    }
}

async fn read(client: &Client, workload: &Workload) -> Option<End> {
    let mut end = End {
        max_concurrent_runs: workload.max_concurrent_runs.clone(),
        max_retries: workload.max_retries.clone(),
        ..End::default()
    };
    for workflow in &workload.workflows {
        end.runs.extend(client.runs_of(workflow).await?);
    }
    for job in &workload.jobs {
        end.job_runs.extend(client.job_runs_of(job).await?);
    }
    Some(end)
}

/// The last word on every run's properties: what was acknowledged must be there.
async fn read_properties(client: &Client, end: &End) {
    for run in end.runs.iter().filter(|run| run.previous_run_id.is_none()) {
        let run = format!("{}/{}", run.name(), run.workflow_run_id());
        client.perform(Call::Get { run }).await;
    }
}
