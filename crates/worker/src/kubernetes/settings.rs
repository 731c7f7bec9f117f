//! What a worker is told of the cluster that runs its jobs.

use std::time::Duration;

use crate::images::Images;

/// What a worker is told of the cluster that runs its jobs. The cluster itself is the one that the worker runs in, or the
/// one that `KUBECONFIG` names.
#[derive(Clone, Debug)]
pub struct Kubernetes {
    /// The namespace of the Jobs.
    pub namespace: String,
    /// Which image runs which command.
    pub images: Images,
    /// The image that has this binary: it brings a job's script and files into its pod.
    pub stage_image: String,
    /// The interpreter's name in the images of the commands.
    pub python: String,
    /// How much of what AWS gives a job its pod gets, 0.01 to 10; whatever lies outside is brought inside.
    pub resource_factor: f64,
    /// How long a job may take until its script runs: a place on a node, and images.
    pub start_timeout: Duration,
    /// The user and group that pods run as; not root.
    pub run_as: i64,
}
