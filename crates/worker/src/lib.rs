//! Executes job runs: takes tasks from the run-scheduler, runs their scripts as processes and says how they ended.
//!
//! Owns the processes, their folders, their environments and their output until it is uploaded. Never decides what runs
//! next: a lost worker loses its tasks, and the run-scheduler's fencing tokens keep a late one from being heard.
//!
//! Start reading at [`run`], then `session` (what is said to the run-scheduler) and `task` (how one attempt goes).

mod config;
mod credentials;
mod fetch;
mod logs;
mod outcome;
mod process;
mod session;
mod start;
mod task;

pub use config::{Authority, Config, Deps, Limits};
pub use session::Started;
pub use start::{Error, run, run_with};
pub use task::Execute;
