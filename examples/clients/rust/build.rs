//! Makes the messages and clients of `proto/`, each time that it is built.

use std::error::Error;

const PROTO: &str = "../../../proto";
/// What the program calls; what these import comes along.
const FILES: [&str; 8] = [
    "treenail/glue/v1/job_service.proto",
    "treenail/glue/v1/run_properties_service.proto",
    "treenail/glue/v1/trigger_service.proto",
    "treenail/glue/v1/workflow_run_service.proto",
    "treenail/glue/v1/workflow_service.proto",
    "treenail/ops/v1/log_service.proto",
    "treenail/ops/v1/watch_service.proto",
    "treenail/worker/v1/task.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO}");
    let contract = protox::compile(FILES, [PROTO])?;
    tonic_prost_build::configure()
        .build_server(false)
        .include_file("treenail.rs")
        .compile_fds(contract)?;
    Ok(())
}
