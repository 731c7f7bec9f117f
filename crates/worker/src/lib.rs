//! Executes job runs: takes tasks from the run-scheduler, runs their scripts and says how they ended.
//!
//! Owns the processes or containers, their folders, their environments and their output until it is uploaded. Never decides
//! what runs next: a lost worker loses its tasks, and the run-scheduler's fencing tokens keep a late one from being heard.
//!
//! Start reading at [`run`], then `session` (what is said to the run-scheduler) and `task` (how one attempt goes).

mod config;
mod container;
mod credentials;
mod fetch;
mod images;
mod job_user;
mod kubernetes;
mod logs;
mod outcome;
mod process;
mod runner;
mod session;
mod stage;
mod start;
mod task;

pub use config::{Authority, Config, ContainerSettings, Deps, ExecutorKind, Limits};
pub use images::Images;
pub use job_user::{JobUser, JobUserError};
pub use kubernetes::Kubernetes;
pub use process::CgroupFolder;
pub use session::Started;
pub use stage::{Places, stage};
pub use start::{Error, run, run_with};
pub use task::Execute;
