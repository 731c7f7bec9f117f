//! How much of a node a job's pod gets.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};
use treenail_proto::{glue::v1::WorkerType, worker::v1::JobTask};

const GIB: u64 = 1024 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;
/// What a data processing unit has (`AWS Glue developer guide: worker types`).
const DPU: Share = Share {
    milli_cpus: 4_000,
    memory: 16 * GIB,
};
/// The least that a pod gets, however small the factor: an interpreter needs it.
const LEAST: Share = Share {
    milli_cpus: 50,
    memory: 128 * MIB,
};

/// A share of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Thousandths of a processor.
    pub(super) milli_cpus: u64,
    /// Bytes of memory.
    pub(super) memory: u64,
}

impl Share {
    /// What one worker of a job has on AWS, times a factor.
    ///
    /// A job is one pod here, so its number of workers, and a capacity beyond one unit, count for nothing.
    pub(super) fn of(job: &JobTask, factor: f64) -> Share {
        let on_aws = of_type(job.worker_type()).unwrap_or_else(|| of_capacity(job.max_capacity));
        Share {
            milli_cpus: scaled(on_aws.milli_cpus, factor).max(LEAST.milli_cpus),
            memory: (scaled(on_aws.memory, factor) / MIB * MIB).max(LEAST.memory),
        }
    }

    /// As Kubernetes is told: as much as is asked for, and no more.
    pub(super) fn requirements(self) -> ResourceRequirements {
        let quantities = BTreeMap::from([
            ("cpu".to_owned(), Quantity(format!("{}m", self.milli_cpus))),
            ("memory".to_owned(), Quantity(format!("{}Mi", self.memory / MIB))),
        ]);
        ResourceRequirements {
            limits: Some(quantities.clone()),
            requests: Some(quantities),
            ..ResourceRequirements::default()
        }
    }
}

/// `AWS Glue developer guide: worker types`; `None` where the job has none.
fn of_type(worker_type: WorkerType) -> Option<Share> {
    let share = |cpus: u64, gibibytes: u64| {
        Some(Share {
            milli_cpus: cpus * 1_000,
            memory: gibibytes * GIB,
        })
    };
    match worker_type {
        WorkerType::Unspecified => None,
        WorkerType::G025x => share(2, 4),
        WorkerType::Standard | WorkerType::G1x => share(4, 16),
        WorkerType::G2x => share(8, 32),
        WorkerType::G4x => share(16, 64),
        WorkerType::G8x => share(32, 128),
        WorkerType::G12x => share(48, 192),
        WorkerType::G16x => share(64, 256),
        WorkerType::R1x => share(4, 32),
        WorkerType::R2x | WorkerType::Z2x => share(8, 64),
        WorkerType::R4x => share(16, 128),
        WorkerType::R8x => share(32, 256),
    }
}

/// A Python shell job has a unit, or a sixteenth of one, which is what it has by default.
fn of_capacity(units: f64) -> Share {
    match units {
        units if units > 0.0 && units < 1.0 => Share {
            milli_cpus: scaled(DPU.milli_cpus, units),
            memory: scaled(DPU.memory, units),
        },
        units if units >= 1.0 => DPU,
        _ => Share {
            milli_cpus: DPU.milli_cpus / 16,
            memory: DPU.memory / 16,
        },
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a node is far from the ends of either type"
)]
fn scaled(amount: u64, factor: f64) -> u64 {
    (amount as f64 * factor) as u64
}

#[cfg(test)]
mod tests {
    use treenail_proto::{glue::v1::WorkerType, worker::v1::JobTask};

    use super::{GIB, MIB, Share};

    #[test]
    fn a_pod_gets_what_a_worker_has() {
        let rows = [
            (WorkerType::G1x, 10.0, 1.0, 4_000, 16 * GIB),
            (WorkerType::R2x, 0.0, 1.0, 8_000, 64 * GIB),
            (WorkerType::G025x, 0.0, 0.5, 1_000, 2 * GIB),
            (WorkerType::Unspecified, 0.0625, 1.0, 250, GIB),
            (WorkerType::Unspecified, 1.0, 1.0, 4_000, 16 * GIB),
            (WorkerType::Unspecified, 10.0, 1.0, 4_000, 16 * GIB),
            (WorkerType::Unspecified, 0.0, 1.0, 250, GIB),
            (WorkerType::Unspecified, 0.0625, 0.01, 50, 128 * MIB),
        ];
        for (worker_type, max_capacity, factor, milli_cpus, memory) in rows {
            let job = JobTask {
                worker_type: worker_type.into(),
                max_capacity,
                ..JobTask::default()
            };
            let share = Share { milli_cpus, memory };
            assert_eq!(
                Share::of(&job, factor),
                share,
                "{worker_type:?} {max_capacity} {factor}"
            );
        }
    }
}
