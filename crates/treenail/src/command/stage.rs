//! `treenail stage`: what runs in the pod of a job before its script.

use std::process::ExitCode;

use treenail_worker::{Places, stage};

use crate::{cli::Stage, compose, terminal};

/// The folder of the `awsglue` package, in the attempt's.
const AWSGLUE: &str = "awsglue-package";

/// Brings a job's script and files to where its container finds them. Why that cannot be done is all that it prints: the
/// worker makes it the job run's error message.
pub(crate) async fn run(arguments: &Stage) -> ExitCode {
    let awsglue = arguments.attempt.join(AWSGLUE);
    let done = match compose::write_awsglue(&awsglue) {
        Err(error) => Err(format!("{error:#}")),
        Ok(()) => {
            let places = Places {
                order: &arguments.order,
                attempt: &arguments.attempt,
                launch: &arguments.launch,
                awsglue: &awsglue,
            };
            stage(places).await
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            terminal::say(&cause);
            ExitCode::FAILURE
        }
    }
}
