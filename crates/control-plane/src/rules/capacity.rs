//! How much a job's runs get: workers or data processing units, checked and filled in as AWS does (spec §8.8, §8.10).

use treenail_proto::glue::v1::{ExecutionClass, Job, WorkerType};

use crate::error::Error;

/// The commands that AWS knows; rules differ by command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandKind {
    Spark,
    Streaming,
    PythonShell,
    Ray,
    /// Any other name: accepted, and its runs fail.
    Unknown,
}

/// The capacity of a Spark job that names none, in data processing units.
const SPARK_CAPACITY_DEFAULT: f64 = 10.0;
/// The capacity of a pythonshell job that names none, and the only fraction that one may have.
const PYTHON_SHELL_CAPACITY_DEFAULT: f64 = 0.0625;
/// The fewest workers of the types whose fewest AWS names.
const WORKERS_MIN: i32 = 2;

impl CommandKind {
    pub(crate) fn of(job: &Job) -> CommandKind {
        match job.command.as_ref().and_then(|command| command.name.as_deref()) {
            Some("glueetl") => CommandKind::Spark,
            Some("gluestreaming") => CommandKind::Streaming,
            Some("pythonshell") => CommandKind::PythonShell,
            Some("glueray") => CommandKind::Ray,
            Some(_) | None => CommandKind::Unknown,
        }
    }
}

/// Checks what a request says of capacity, before anything is filled in.
///
/// # Errors
/// `InvalidInputException` with AWS's texts.
pub(crate) fn check(job: &Job) -> Result<(), Error> {
    let kind = CommandKind::of(job);
    if kind == CommandKind::PythonShell && has_worker_type(job) {
        return Err(Error::invalid(
            "Worker Type is not supported for Job Command pythonshell",
        ));
    }
    if kind == CommandKind::Ray && job.worker_type() != WorkerType::Z2x {
        return Err(Error::invalid(
            "Worker type cannot be null and only [Z.2X] worker types are supported for glueray jobs",
        ));
    }
    if has_worker_type(job) != job.number_of_workers.is_some() {
        return Err(Error::invalid("Please set both Worker Type and Number of Workers."));
    }
    if has_worker_type(job) {
        check_workers(job)?;
    } else if let Some(capacity) = job.max_capacity {
        check_capacity(kind, capacity)?;
    }
    match (job.execution_class(), kind) {
        (ExecutionClass::Flex, CommandKind::Spark) | (ExecutionClass::Standard | ExecutionClass::Unspecified, _) => {
            Ok(())
        }
        (ExecutionClass::Flex, _) => Err(Error::invalid("Flex job is supported for ETL jobs only")),
    }
}

/// Fills in the capacity that AWS reads back.
pub(crate) fn fill(job: &mut Job) {
    let units = match (has_worker_type(job), CommandKind::of(job)) {
        (true, _) => Some(units_of(job.worker_type()) * f64::from(job.number_of_workers.unwrap_or_default())),
        (false, kind) => given(job).or(match kind {
            CommandKind::Spark | CommandKind::Streaming => Some(SPARK_CAPACITY_DEFAULT),
            CommandKind::PythonShell => Some(PYTHON_SHELL_CAPACITY_DEFAULT),
            CommandKind::Ray | CommandKind::Unknown => None,
        }),
    };
    job.max_capacity = units;
    job.allocated_capacity = units.map(whole);
}

/// The capacity that the request names, by its new or its old spelling; zero counts as none.
fn given(job: &Job) -> Option<f64> {
    let old = || job.allocated_capacity.map(f64::from);
    job.max_capacity
        .filter(|&units| units > 0.0)
        .or_else(old)
        .filter(|&units| units > 0.0)
}

fn has_worker_type(job: &Job) -> bool {
    job.worker_type() != WorkerType::Unspecified
}

fn check_workers(job: &Job) -> Result<(), Error> {
    if job.max_capacity.is_some() {
        return Err(Error::invalid(
            "Please do not set Max Capacity if using Worker Type and Number of Workers.",
        ));
    }
    let (name, min) = match job.worker_type() {
        WorkerType::Unspecified => return Ok(()),
        WorkerType::Standard => ("Standard", 1),
        WorkerType::G025x => ("G.025X", WORKERS_MIN),
        WorkerType::G1x => ("G.1X", WORKERS_MIN),
        WorkerType::G2x => ("G.2X", WORKERS_MIN),
        WorkerType::G4x => ("G.4X", WORKERS_MIN),
        WorkerType::G8x => ("G.8X", WORKERS_MIN),
        WorkerType::G12x => ("G.12X", WORKERS_MIN),
        WorkerType::G16x => ("G.16X", WORKERS_MIN),
        WorkerType::R1x => ("R.1X", WORKERS_MIN),
        WorkerType::R2x => ("R.2X", WORKERS_MIN),
        WorkerType::R4x => ("R.4X", WORKERS_MIN),
        WorkerType::R8x => ("R.8X", WORKERS_MIN),
        WorkerType::Z2x => ("Z.2X", 1),
    };
    if job.number_of_workers.is_some_and(|workers| workers < min) {
        return Err(Error::invalid(format!(
            "To use Worker Type {name}, minimum allowed value of Number of Workers is {min}."
        )));
    }
    Ok(())
}

fn check_capacity(kind: CommandKind, units: f64) -> Result<(), Error> {
    let message = match kind {
        CommandKind::PythonShell if !(0.0..=1.0).contains(&units) => {
            "Max Capacity should be between 0.0 and 1.0 if present for pythonshell."
        }
        CommandKind::PythonShell if ![0.0, PYTHON_SHELL_CAPACITY_DEFAULT, 1.0].contains(&units) => {
            "Max Capacity values with precision supported for pythonshell are [0.0625]."
        }
        CommandKind::Spark if units.fract() != 0.0 => {
            "Max Capacity with precision currently not supported for glueetl."
        }
        CommandKind::Streaming if units.fract() != 0.0 => {
            "Max Capacity with precision currently not supported for gluestreaming."
        }
        CommandKind::PythonShell
        | CommandKind::Spark
        | CommandKind::Streaming
        | CommandKind::Ray
        | CommandKind::Unknown => return Ok(()),
    };
    Err(Error::invalid(message))
}

/// The data processing units of one worker.
fn units_of(worker: WorkerType) -> f64 {
    match worker {
        WorkerType::Unspecified => 0.0,
        WorkerType::G025x => 0.25,
        WorkerType::Standard | WorkerType::G1x | WorkerType::R1x => 1.0,
        WorkerType::G2x | WorkerType::R2x | WorkerType::Z2x => 2.0,
        WorkerType::G4x | WorkerType::R4x => 4.0,
        WorkerType::G8x | WorkerType::R8x => 8.0,
        WorkerType::G12x => 12.0,
        WorkerType::G16x => 16.0,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the old spelling holds whole units only; `as` saturates"
)]
fn whole(units: f64) -> i32 {
    units as i32
}
