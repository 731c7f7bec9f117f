//! What it costs that signatures are verified.

use std::{
    fs,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use treenail_sigv4::{Request, SecretKey, Signer};

use crate::{
    http::{self, Connection},
    server::Server,
    tell,
    workflows::Workflows,
};

const START: &str = "{\"Name\":\"empty\"}";

/// `StartWorkflowRun` with and without keys, at 64 connections, one after another and again.
pub(crate) async fn signed() {
    let open = Server::start(0);
    Workflows::of(&open).workflow("empty").await;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.toml");
    let made = Command::new(env!("CARGO_BIN_EXE_treenail"))
        .args(["keys", "create", "--policy", "admin", "--credentials"])
        .arg(&keys)
        .output()
        .unwrap();
    let made = String::from_utf8(made.stdout).unwrap();
    let value = |name: &str| {
        made.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .to_owned()
    };
    let (access_key, secret) = (value("AWS_ACCESS_KEY_ID="), value("AWS_SECRET_ACCESS_KEY="));
    let guarded = Server::start_with(0, &["--credentials", keys.to_str().unwrap()]);
    let head = |target: &str, body: &str| signature(&access_key, &secret, target, body);
    let mut connection = Connection::open(&guarded.http()).await;
    let define = with_head(&head("AWSGlue.CreateWorkflow", START), "AWSGlue.CreateWorkflow", START);
    assert_eq!(connection.ask(&define).await.0, 200);

    // The signature covers no invocation id, so it is made once: what is measured is the server's part.
    let head = head("AWSGlue.StartWorkflowRun", START);
    let (mut without, mut with) = (0.0, 0.0);
    for _ in 0..2 {
        without += http::rate(&open.http(), |_| http::request("AWSGlue.StartWorkflowRun", START)).await;
        let head = head.clone();
        with += http::rate(&guarded.http(), move |_| {
            with_head(&head, "AWSGlue.StartWorkflowRun", START)
        })
        .await;
    }
    tell(
        "StartWorkflowRun, signed, 64 connections",
        &format!("{:.0}/s", with / 2.0),
        Some((with / without, "x that without keys, goal 0.85")),
    );
    drop(fs::remove_file(keys));
}

/// The headers that sign a call now.
fn signature(access_key: &str, secret: &str, target: &str, body: &str) -> String {
    let secret = SecretKey::new(secret.to_owned());
    let signer = Signer {
        access_key,
        secret: &secret,
        region: "us-east-1",
        service: "glue",
    };
    let request = Request {
        method: "POST",
        path: "/",
        query: "",
        headers: vec![("host", "127.0.0.1"), ("x-amz-target", target)],
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let signed = signer.sign(&request, body.as_bytes(), i64::try_from(now).unwrap());
    format!(
        "authorization: {}\r\nx-amz-date: {}\r\nx-amz-content-sha256: {}\r\n",
        signed.authorization, signed.date, signed.content_sha256
    )
}

/// A request with further headers.
fn with_head(head: &str, target: &str, body: &str) -> Vec<u8> {
    let plain = String::from_utf8(http::request(target, body)).unwrap();
    plain.replacen("\r\n", &format!("\r\n{head}"), 1).into_bytes()
}
