//! What one job may have, with real Python processes: a flood of its own hurts nobody else, and nothing of it escapes.

use treenail_proto::worker::v1::{LogStream, Outcome, Result as Kind};

use crate::{
    is_alive,
    scheduler::{Bench, task},
};

const MIB: u64 = 1024 * 1024;

/// Runs a script that has too much of something, and then one that has not.
async fn outcome_of(script: &str) -> Outcome {
    let mut bench = Bench::start_with(|config| {
        config.limits.job_memory_bytes = Some(200 * MIB);
        config.limits.job_processes = 20;
        config.limits.file_bytes = 4 * MIB;
    })
    .await;
    bench.assign(task("jr_1", &bench.file("a.py", script))).await;
    let outcome = bench.outcome("jr_1").await;
    bench.assign(task("jr_2", &bench.file("b.py", "print('well')"))).await;
    assert_eq!(bench.outcome("jr_2").await.result(), Kind::Succeeded);
    assert!(bench.output(LogStream::Stdout).ends_with("well\n"));
    bench.stop().await;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_ends_the_job_and_nothing_else() {
    let hold = "import time\ntime.sleep(90)\n";
    let rows = [
        (
            "memory",
            "chunks = []\nwhile True: chunks.append(b'x' * (1 << 20))\n".to_owned(),
            "Command failed with exit code 10",
            "more than 200 MiB of memory",
        ),
        (
            "memory of several processes",
            format!("import os\nfor _ in range(4): os.fork()\nheld = bytearray(b'x' * (30 << 20))\n{hold}"),
            "Command failed with exit code 10",
            "more than 200 MiB of memory",
        ),
        (
            "memory that could be shared",
            format!(
                "import mmap\nheld = mmap.mmap(-1, 400 << 20)\nfor _ in range(400): held.write(b'x' * (1 << 20))\n{hold}"
            ),
            "Command failed with exit code 10",
            "more than 200 MiB of memory",
        ),
        (
            "children",
            format!("import os\nfor _ in range(5): os.fork()\n{hold}"),
            "Command failed: too many processes",
            "more than 20 processes",
        ),
        (
            "children that leave their session",
            format!("import os\nfor _ in range(5):\n    if os.fork() == 0: os.setsid()\n{hold}"),
            "Command failed: too many processes",
            "more than 20 processes",
        ),
        (
            "a file",
            "with open('large', 'wb') as file:\n    for _ in range(8): file.write(b'x' * (1 << 20))\n".to_owned(),
            "Command failed with exit code 1",
            "File too large",
        ),
    ];
    for (what, script, message, detail) in rows {
        let outcome = outcome_of(&script).await;
        assert_eq!(outcome.result(), Kind::Failed, "{what}: {outcome:?}");
        assert_eq!(outcome.error_message, message, "{what}: {outcome:?}");
        assert!(outcome.state_detail.contains(detail), "{what}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_that_processes_share_is_counted_once() {
    // Six processes that share 60 MiB: 360 by a careless count.
    let script = "import os, time\nheld = bytearray(b'x' * (60 << 20))\nchildren = []\n\
                  for _ in range(5):\n    child = os.fork()\n    if child == 0:\n        time.sleep(0.5)\n        os._exit(0)\n\
                  \x20   children.append(child)\nfor child in children: os.waitpid(child, 0)\n";
    let outcome = outcome_of(script).await;
    assert_eq!(outcome.result(), Kind::Succeeded, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_leaves_its_session_ends_with_its_job() {
    // Ends by itself, or is stopped: either way what it made is killed, though it is in a session of its own.
    for is_stopped in [false, true] {
        let mut bench = Bench::start().await;
        let pid = bench.path("pid");
        let hold = if is_stopped {
            "import time\ntime.sleep(90)\n"
        } else {
            ""
        };
        let script = format!(
            "import subprocess, sys\n\
             daemon = 'import os, sys, time; os.fork() and sys.exit(); os.setsid(); open(sys.argv[1], \"w\").write(str(os.getpid())); time.sleep(90)'\n\
             subprocess.run([sys.executable, '-c', daemon, {pid:?} + '.new'], env={{}})\n\
             import os, time\nwhile not os.path.exists({pid:?} + '.new') or not open({pid:?} + '.new').read(): time.sleep(0.01)\n\
             os.rename({pid:?} + '.new', {pid:?})\n{hold}"
        );
        bench.assign(task("jr_1", &bench.file("a.py", &script))).await;
        if is_stopped {
            bench
                .eventually("the daemon to be there", || std::path::Path::new(&pid).exists())
                .await;
            bench.cancel("jr_1").await;
        }
        let expected = if is_stopped { Kind::Cancelled } else { Kind::Succeeded };
        let outcome = bench.outcome("jr_1").await;
        assert_eq!(outcome.result(), expected, "{outcome:?}");
        let daemon = std::fs::read_to_string(&pid).unwrap();
        bench.eventually("the daemon to be killed", || !is_alive(&daemon)).await;
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_process_of_the_worker_left_behind_is_killed_at_start() {
    let mut left = std::process::Command::new("sleep")
        .arg("90")
        .env("TREENAIL_WORKER_ID", "the-worker-before")
        .spawn()
        .unwrap();
    let bench = Bench::start_with(|config| config.worker_id = "the-worker-before".to_owned()).await;
    assert!(!left.wait().unwrap().success());
    bench.stop().await;
}
