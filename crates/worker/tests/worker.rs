//! A worker against a run-scheduler in this process, with real Python processes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "worker/drain.rs"]
mod drain;
#[path = "worker/limits.rs"]
mod limits;
#[path = "worker/scheduler.rs"]
mod scheduler;

use std::{collections::BTreeMap, path::Path};

use scheduler::{Bench, task};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use treenail_proto::worker::v1::{LogStream, Result as Kind, Task};

/// A table row: what is changed on the task, how it ends, and what the error message is or begins with.
type Row = (&'static str, fn(&mut Task), Kind, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn a_script_sees_its_arguments_and_an_environment_from_nothing() {
    let mut bench = Bench::start().await;
    let seen = bench.path("seen.json");
    let script = format!(
        "import json, os, sys\nimport awsglue_marker, single\n\
         open({seen:?}, 'w').write(json.dumps([sys.argv, dict(os.environ), os.getcwd()]))\nprint('done')\n"
    );
    bench.file("single.py", "");
    bench.file("awsglue/awsglue_marker.py", "");
    let mut task = task("jr_1", &bench.file("a b.py", &script).replace(' ', "%20"));
    let job = task.job.as_mut().unwrap();
    job.workflow_name = "flow".to_owned();
    job.workflow_run_id = "wr_1".to_owned();
    job.arguments = BTreeMap::from(
        [
            ("--day", "2026-11-20"),
            ("--flag", ""),
            ("--customer-driver-env-vars", "CUSTOMER_A=1"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    job.arguments
        .insert("--extra-py-files".to_owned(), bench.path("single.py"));
    bench.assign(task).await;
    let outcome = bench.outcome("jr_1").await;
    assert_eq!(
        outcome.result(),
        Kind::Succeeded,
        "{outcome:?}\n{}",
        bench.output(LogStream::Stderr)
    );
    assert_eq!(bench.output(LogStream::Stdout), "done\n");
    assert!(bench.heard_start("jr_1"));

    let seen = std::fs::read_to_string(bench.path("seen.json")).unwrap();
    for expected in [
        r#""--day", "2026-11-20", "#,
        r#""--flag", "--WORKFLOW_NAME", "flow", "--WORKFLOW_RUN_ID", "wr_1"]"#,
        r#""AWS_ACCESS_KEY_ID": "123456789012""#,
        r#""AWS_GLUE_JOB_RUN_ID": "jr_1""#,
        r#""AWS_GLUE_WORKFLOW_RUN_ID": "wr_1""#,
        r#""CUSTOMER_A": "1""#,
        "a b.py",
    ] {
        assert!(seen.contains(expected), "{expected} in {seen}");
    }
    assert!(
        !seen.contains("CARGO"),
        "the worker's own environment stays its own: {seen}"
    );
    bench
        .eventually("the attempt's folder to be gone", || {
            std::fs::read_dir(bench.path("work/attempts")).unwrap().next().is_none()
        })
        .await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_has_its_words() {
    const START: &str = "JobName:etl and JobRunId:jr_0 failed to execute with exception ";
    let rows: [Row; 8] = [
        (
            "import sys; sys.exit(3)",
            |_| {},
            Kind::Failed,
            "Command failed with exit code 3",
        ),
        ("def broken(:", |_| {}, Kind::Failed, "Command failed with exit code 1"),
        (
            "import os; os.kill(os.getpid(), 9)",
            |_| {},
            Kind::Failed,
            "Command failed with exit code -9",
        ),
        (
            "",
            |task| command(task).name = Some("nonsense".to_owned()),
            Kind::Failed,
            "Could not find command",
        ),
        (
            "",
            |task| command(task).script_location = None,
            Kind::Failed,
            "The job has no ScriptLocation",
        ),
        (
            "",
            |task| command(task).script_location = Some("file:///nowhere/a.py".to_owned()),
            Kind::Failed,
            "file:///nowhere/a.py cannot be read: No such file",
        ),
        (
            "",
            |task| command(task).script_location = Some("gopher://a/b.py".to_owned()),
            Kind::Failed,
            "gopher://a/b.py cannot be read",
        ),
        (
            "",
            |task| command(task).script_location = Some("http://127.0.0.1:1/b.py".to_owned()),
            Kind::Failed,
            "http://127.0.0.1:1/b.py cannot be read: this worker is not allowed",
        ),
    ];
    let mut bench = Bench::start().await;
    for (number, (script, change, kind, message)) in rows.into_iter().enumerate() {
        let id = format!("jr_{number}");
        let mut task = task(&id, &bench.file("a.py", script));
        change(&mut task);
        bench.assign(task).await;
        let outcome = bench.outcome(&id).await;
        assert_eq!(outcome.result(), kind);
        let told = &outcome.error_message;
        let is_start_failure = !message.starts_with("Command failed");
        if is_start_failure {
            assert!(
                told.starts_with(&format!("{}{message}", START.replace("jr_0", &id))),
                "{told}"
            );
        } else {
            assert_eq!(told, message);
        }
        assert_eq!(bench.heard_start(&id), !is_start_failure, "{message}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_detail_of_a_failure_is_the_end_of_standard_error() {
    let mut bench = Bench::start().await;
    bench
        .assign(task("jr_1", &bench.file("a.py", "raise ValueError('no such day')")))
        .await;
    let outcome = bench.outcome("jr_1").await;
    assert_eq!(outcome.error_message, "Command failed with exit code 1");
    assert!(outcome.state_detail.ends_with("ValueError: no such day"), "{outcome:?}");
    assert!(bench.output(LogStream::Stderr).contains("ValueError: no such day"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_is_killed_with_its_grandchildren() {
    let mut bench = Bench::start().await;
    let pids = bench.path("pids");
    let script = format!(
        "import os, signal, subprocess, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
         child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(90)'])\n\
         open({pids:?} + '.part', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n\
         os.replace({pids:?} + '.part', {pids:?})\ntime.sleep(90)\n"
    );
    bench.assign(task("jr_1", &bench.file("a.py", &script))).await;
    bench
        .eventually("the script to start its child", || Path::new(&pids).exists())
        .await;
    bench.cancel("jr_1").await;
    assert_eq!(bench.outcome("jr_1").await.result(), Kind::Cancelled);
    let processes = std::fs::read_to_string(&pids).unwrap();
    for pid in processes.split(' ') {
        bench.eventually("the process to be gone", || !is_alive(pid)).await;
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_is_cut_in_its_middle() {
    let mut bench = Bench::start().await;
    let script = "import sys\nfor n in range(4000):\n    sys.stdout.write(f'{n:08}' * 1024)\n";
    bench.assign(task("jr_1", &bench.file("a.py", script))).await;
    assert_eq!(bench.outcome("jr_1").await.result(), Kind::Succeeded);
    let output = bench.output(LogStream::Stdout);
    assert!(output.starts_with("00000000"));
    assert!(output.ends_with("00003999"));
    assert!(output.contains("bytes of output are left out here]"));
    assert!(output.len() < 18 * 1024 * 1024, "{}", output.len());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_said_again_until_it_is_acknowledged() {
    let mut bench = Bench::start().await;
    bench.acknowledge_from(3);
    bench.assign(task("jr_1", &bench.file("a.py", ""))).await;
    for _ in 0..3 {
        assert_eq!(bench.outcome("jr_1").await.result(), Kind::Succeeded);
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_stream_does_not_end_the_tasks() {
    let mut bench = Bench::start().await;
    let gate = bench.path("gate");
    let script = format!("import os, time\nwhile not os.path.exists({gate:?}): time.sleep(0.01)\n");
    bench.assign(task("jr_1", &bench.file("a.py", &script))).await;
    bench.wait_for_start("jr_1").await;
    bench.lose_stream();
    let held = bench.hello().await.held;
    assert_eq!(held.len(), 1);
    assert!(held[0].started && held[0].task_id == "jr_1" && held[0].token == 7);
    bench.file("gate", "");
    assert_eq!(bench.outcome("jr_1").await.result(), Kind::Succeeded);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_out_of_reach_for_a_lease_ends_its_tasks() {
    let bench = Bench::start().await;
    let pid = bench.path("pid");
    let script = format!(
        "import os, time\nopen({pid:?} + '.part', 'w').write(str(os.getpid()))\n\
         os.replace({pid:?} + '.part', {pid:?})\ntime.sleep(90)\n"
    );
    bench.assign(task("jr_1", &bench.file("a.py", &script))).await;
    bench.eventually("the script to run", || Path::new(&pid).exists()).await;
    bench.refuse_streams();
    let process = std::fs::read_to_string(&pid).unwrap();
    bench
        .eventually("the script to be killed", || !is_alive(&process))
        .await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_says_that_its_tasks_are_cancelled() {
    let mut bench = Bench::start().await;
    bench
        .assign(task("jr_1", &bench.file("a.py", "import time; time.sleep(90)")))
        .await;
    bench.wait_for_start("jr_1").await;
    bench.ask_to_stop();
    assert_eq!(bench.outcome("jr_1").await.result(), Kind::Cancelled);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spark_job_without_pyspark_says_what_to_install() {
    let mut bench = Bench::start().await;
    let mut task = task("jr_1", &bench.file("a.py", "import sys; print(sys.argv)"));
    command(&mut task).name = Some("glueetl".to_owned());
    bench.assign(task).await;
    let outcome = bench.outcome("jr_1").await;
    if outcome.result() == Kind::Succeeded {
        assert!(bench.output(LogStream::Stdout).contains("'--JOB_RUN_ID', 'jr_1'"));
    } else {
        assert!(outcome.error_message.contains("pip install pyspark"), "{outcome:?}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_fetched_from_s3_with_the_accounts_key() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut requests = Vec::new();
        for body in ["import extra; print(extra.WORD)", "WORD = 'fetched'"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            requests.push(String::from_utf8(head).unwrap());
        }
        requests
    });
    let mut bench = Bench::start_with(|config| config.s3_endpoint_url = Some(endpoint)).await;
    let mut task = task("jr_1", "");
    command(&mut task).script_location = Some("s3://bucket/jobs/a b.py".to_owned());
    let arguments = &mut task.job.as_mut().unwrap().arguments;
    arguments.insert("--extra-py-files".to_owned(), "s3://bucket/extra.py".to_owned());
    bench.assign(task).await;
    let outcome = bench.outcome("jr_1").await;
    assert_eq!(outcome.result(), Kind::Succeeded, "{outcome:?}");
    assert_eq!(bench.output(LogStream::Stdout), "fetched\n");
    let requests = serving.await.unwrap();
    assert!(
        requests[0].starts_with("GET /bucket/jobs/a%20b.py HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
    assert!(requests[0].contains("Credential=123456789012/"), "{}", requests[0]);
    assert!(requests[0].contains("/eu-central-1/s3/aws4_request"), "{}", requests[0]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_too_large_or_no_file_is_not_run() {
    let mut bench = Bench::start_with(|config| config.limits.script_bytes = 16).await;
    bench.file("folder.py/x", "");
    let rows = [
        ("jr_1", bench.file("fits.py", &"#".repeat(16)), ""),
        (
            "jr_2",
            bench.file("large.py", &"#".repeat(17)),
            "it is larger than 16 bytes",
        ),
        ("jr_3", bench.path("folder.py"), "this is not a file"),
        ("jr_4", bench.path("missing.py"), "No such file or directory"),
        ("jr_5", bench.path("folder.py/"), "names no file"),
    ];
    for (id, script, cause) in rows {
        bench.assign(task(id, &script)).await;
        let outcome = bench.outcome(id).await;
        assert_eq!(
            outcome.result() == Kind::Succeeded,
            cause.is_empty(),
            "{script}: {outcome:?}"
        );
        assert!(outcome.error_message.contains(cause), "{script}: {outcome:?}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_leaves_running_ends_with_it() {
    let mut bench = Bench::start().await;
    let pid = bench.path("pid");
    let script = format!(
        "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(90)'])\n\
         open({pid:?}, 'w').write(str(child.pid))\n"
    );
    bench.assign(task("jr_1", &bench.file("a.py", &script))).await;
    assert_eq!(bench.outcome("jr_1").await.result(), Kind::Succeeded);
    let process = std::fs::read_to_string(&pid).unwrap();
    bench.eventually("the child to be killed", || !is_alive(&process)).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_that_cannot_be_installed_fail_the_run_in_words() {
    let mut bench = Bench::start().await;
    let mut task = task("jr_1", &bench.file("a.py", ""));
    let arguments = &mut task.job.as_mut().unwrap().arguments;
    arguments.insert("--additional-python-modules".to_owned(), bench.path("missing.whl"));
    bench.assign(task).await;
    let outcome = bench.outcome("jr_1").await;
    assert_eq!(outcome.result(), Kind::Failed);
    let words = "The modules of --additional-python-modules cannot be installed: ";
    assert!(outcome.error_message.contains(words), "{outcome:?}");
    assert!(!bench.heard_start("jr_1"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_beyond_the_slots_wait_for_their_turn() {
    let mut bench = Bench::start_with(|config| config.slots = 1).await;
    let gate = bench.path("gate");
    let script = format!("import os, time\nwhile not os.path.exists({gate:?}): time.sleep(0.01)\n");
    bench.assign(task("jr_1", &bench.file("a.py", &script))).await;
    bench.wait_for_start("jr_1").await;
    bench.assign(task("jr_2", &bench.file("b.py", ""))).await;
    bench.cancel("jr_2").await;
    assert_eq!(bench.outcome("jr_2").await.result(), Kind::Cancelled);
    assert!(!bench.heard_start("jr_2"));
    bench.file("gate", "");
    assert_eq!(bench.outcome("jr_1").await.result(), Kind::Succeeded);
    bench.stop().await;
}

fn command(task: &mut Task) -> &mut treenail_proto::glue::v1::JobCommand {
    task.job.as_mut().unwrap().command.as_mut().unwrap()
}

/// A zombie whose parent has not asked for it is dead too.
fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    status.is_ok_and(|status| !status.contains(") Z "))
}
