//! How a server starts, comes back, rests, and what a process costs beyond itself.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use treenail_proto::glue::v1::JobCommand;

use crate::{in_words, quantile, server::Server, tell, workflows::Workflows};

const RESTED: Duration = Duration::from_secs(5);
const PROCESSES: usize = 20;

pub(crate) async fn starts_and_rests() {
    let began = Instant::now();
    let server = Server::start(0);
    let workflows = Workflows::of(&server);
    workflows.workflow("first").await;
    workflows.start("first").await;
    let cold = began.elapsed();
    tell(
        "cold start to the first StartWorkflowRun",
        &in_words(cold),
        Some((cold.as_secs_f64() / 0.05, "x the goal of 50 ms")),
    );

    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = cpu_ticks(server.process.id());
    tokio::time::sleep(RESTED).await;
    let ticks = cpu_ticks(server.process.id()) - before;
    // A hundred ticks a second.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = ticks as f64 / RESTED.as_secs_f64();
    tell(
        "idle, share of a core",
        &format!("{share:.1} %"),
        Some((share / 0.2, "x the goal of 0.2 %")),
    );
    let resident = resident_kib(server.process.id());
    tell("idle, resident memory", &format!("{} MiB", resident / 1_024), None);
}

/// A Python script as a job, against starting it by hand.
pub(crate) async fn processes() {
    let server = Server::start(8);
    let workflows = Workflows::of(&server);
    let script = server.folder().join("nothing.py");
    fs::write(&script, "").unwrap();
    workflows.workflow("process").await;
    let command = JobCommand {
        name: Some("pythonshell".to_owned()),
        script_location: Some(format!("file://{}", script.display())),
        python_version: Some("3.9".to_owned()),
        ..JobCommand::default()
    };
    workflows.job("script", command).await;
    workflows
        .trigger("process", "start", None, &["script".to_owned()])
        .await;
    let python = interpreter();
    let python_path = server.folder().join("data/python");
    let mut jobs = Vec::new();
    let mut by_hand = Vec::new();
    for _ in 0..PROCESSES {
        let run = workflows.start("process").await;
        jobs.push(workflows.completed("process", &run).await);
        let began = Instant::now();
        // As a job's process sees it: a clean environment, folders to look for modules in, outputs that somebody reads.
        let ended = Command::new(&python)
            .args(["-u"])
            .arg(&script)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env(
                "PYTHONPATH",
                std::env::join_paths([server.folder(), &python_path]).unwrap(),
            )
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(ended.status.success());
        by_hand.push(began.elapsed());
    }
    let (job, hand) = (quantile(&mut jobs, 0.5), quantile(&mut by_hand, 0.5));
    tell(
        "a Python job, beyond starting it by hand",
        &in_words(job.saturating_sub(hand)),
        Some((job.as_secs_f64() / hand.as_secs_f64(), "x by hand")),
    );
}

/// The interpreter itself, which the worker runs too: `python3` may be a launcher that takes its own time.
fn interpreter() -> String {
    let asked = Command::new("python3")
        .args(["-c", "import sys; sys.stdout.write(sys.executable)"])
        .output()
        .unwrap();
    String::from_utf8(asked.stdout).unwrap()
}

/// The processor time that a process has had, in hundredths of a second.
pub(crate) fn cpu_ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    let number = |index: usize| fields[index].parse::<u64>().unwrap();
    number(11) + number(12)
}

pub(crate) fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}
