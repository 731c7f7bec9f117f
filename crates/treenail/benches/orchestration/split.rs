//! What it costs that services are processes of their own, in clear and proving themselves to each other.

use std::{
    path::Path,
    process::{Child, Command},
};

use ::http::Uri;
use tempfile::TempDir;

use crate::{
    http,
    server::{Server, free_port, local, spawn, wait_for},
    tell,
    workflows::Workflows,
};

const START: &str = "{\"Name\":\"empty\"}";

/// `StartWorkflowRun` at 64 connections: all in one, split, split and encrypted; one after another and again.
pub(crate) async fn split() {
    let whole = Server::start(0);
    Workflows::of(&whole).workflow("empty").await;
    let (clear, encrypted) = (Split::start(false), Split::start(true));
    for split in [&clear, &encrypted] {
        Workflows::at(split.grpc()).workflow("empty").await;
    }
    let addresses = [whole.http(), local(clear.http), local(encrypted.http)];
    let mut rates = [0.0; 3];
    for _ in 0..2 {
        for (rate, address) in rates.iter_mut().zip(&addresses) {
            *rate += http::rate(address, |_| http::request("AWSGlue.StartWorkflowRun", START)).await / 2.0;
        }
    }
    let [whole, clear, encrypted] = rates;
    for (what, rate) in [
        ("StartWorkflowRun, split services", clear),
        ("StartWorkflowRun, split services, mutual TLS", encrypted),
    ] {
        tell(
            what,
            &format!("{rate:.0}/s"),
            Some((rate / whole, "x that all in one, goal 0.5")),
        );
    }
}

/// The four services that a call needs, each in a process.
struct Split {
    processes: Vec<Child>,
    http: u16,
    grpc: u16,
    folder: TempDir,
}

impl Split {
    fn start(is_encrypted: bool) -> Split {
        let folder = tempfile::tempdir().unwrap();
        let trust = folder.path().join("trust");
        if is_encrypted {
            let mut make = Command::new(env!("CARGO_BIN_EXE_treenail"));
            assert!(make.arg("trust").arg(&trust).output().unwrap().status.success());
        }
        let scheme = if is_encrypted { "https" } else { "http" };
        let [http, grpc, control, scheduler, properties] = std::array::from_fn(|_| free_port());
        let at = |service: &str, port: u16| format!("--{service}={scheme}://{}", local(port));
        let at_properties = at("properties-store", properties);
        let at_scheduler = at("run-scheduler", scheduler);
        let mut split = Split {
            processes: Vec::new(),
            http,
            grpc,
            folder,
        };
        let trust = is_encrypted.then_some(trust.as_path());
        split.service("properties-store", properties, trust, &[]);
        split.service("run-scheduler", scheduler, trust, &[&at_properties]);
        split.service("control-plane", control, trust, &[&at_scheduler]);
        let front = format!("--grpc-listen={}", local(grpc));
        let backends = [&at("control-plane", control), &at_scheduler, &at_properties, &front];
        split.service("gateway", http, trust, &backends.map(String::as_str));
        split
    }

    fn service(&mut self, name: &str, port: u16, trust: Option<&Path>, arguments: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_treenail"));
        command
            .args([name, "--listen", &local(port), "--data-dir"])
            .arg(self.folder.path().join(name))
            .args(arguments);
        if let Some(trust) = trust {
            let own = trust.join(name);
            for (flag, file) in [
                ("--peer-cert", "tls.crt"),
                ("--peer-key", "tls.key"),
                ("--peer-ca", "ca.crt"),
            ] {
                command.arg(flag).arg(own.join(file));
            }
        }
        let mut process = spawn(&mut command);
        wait_for(&mut process, port);
        self.processes.push(process);
    }

    fn grpc(&self) -> Uri {
        format!("http://{}", local(self.grpc)).parse().unwrap()
    }
}

impl Drop for Split {
    fn drop(&mut self) {
        for process in &mut self.processes {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}
