//! The operating system's wish that the process ends.

use rustix::process::{Signal, getpid, kill_process};
use treenail_rpc::shutdown;

#[tokio::test]
async fn a_signal_stops_everybody_who_waits_and_not_the_process() {
    let shutdown = shutdown::signal().unwrap();
    let (early, token) = (shutdown.requested(), shutdown.token());
    assert!(!token.is_cancelled());
    kill_process(getpid(), Signal::TERM).unwrap();
    early.await;
    shutdown.requested().await;
    assert!(token.is_cancelled());
}
