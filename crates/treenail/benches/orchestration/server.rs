//! A server and a worker in processes of their own.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use ::http::Uri;
use tempfile::TempDir;

/// Treenail in one process, with the worker in another one where it has one.
#[derive(Debug)]
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) process: Child,
    worker: Option<Child>,
    http: u16,
    grpc: u16,
    scheduler: u16,
    slots: u32,
}

impl Server {
    /// Starts both; without slots there is no worker.
    pub(crate) fn start(slots: u32) -> Server {
        Server::start_with(slots, &[])
    }

    /// Starts both, the server with further arguments.
    pub(crate) fn start_with(slots: u32, arguments: &[&str]) -> Server {
        Server::start_in(tempfile::tempdir().unwrap(), slots, arguments)
    }

    fn start_in(folder: TempDir, slots: u32, arguments: &[&str]) -> Server {
        let (http, grpc, scheduler) = (free_port(), free_port(), free_port());
        let config = folder.path().join("treenail.toml");
        // AWS's 50 are a rule about definitions; the large graphs here break it on purpose.
        fs::write(&config, "[control_plane.quotas]\njobs_per_trigger = 20000\n").unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_treenail"));
        process
            .args(["serve", "--slots", "0", "--data-dir"])
            .arg(folder.path().join("data"))
            .arg("--config")
            .arg(&config)
            .args(["--listen", &local(http), "--grpc-listen", &local(grpc)])
            .args(["--scheduler-listen", &local(scheduler)])
            .args(arguments);
        let process = spawn(&mut process);
        let mut server = Server {
            folder,
            process,
            worker: None,
            http,
            grpc,
            scheduler,
            slots,
        };
        wait_for(&mut server.process, scheduler);
        wait_for(&mut server.process, http);
        server.start_worker();
        server
    }

    /// Kills the server, without a word, and starts it again over the same data.
    pub(crate) fn kill_and_start_again(mut self) -> Server {
        self.kill();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let slots = self.slots;
        drop(self);
        Server::start_in(folder, slots, &[])
    }

    /// Where AWS's JSON is answered.
    pub(crate) fn http(&self) -> String {
        local(self.http)
    }

    /// Where gRPC is answered.
    pub(crate) fn grpc(&self) -> Uri {
        format!("http://{}", local(self.grpc)).parse().unwrap()
    }

    /// Where workers find the run-scheduler.
    pub(crate) fn scheduler(&self) -> Uri {
        format!("http://{}", local(self.scheduler)).parse().unwrap()
    }

    /// The folder of the benchmark.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn start_worker(&mut self) {
        if self.slots == 0 {
            return;
        }
        let mut worker = Command::new(env!("CARGO_BIN_EXE_treenail"));
        worker
            .args(["worker", "--slots", &self.slots.to_string(), "--data-dir"])
            .arg(self.folder.path().join("worker"))
            .args(["--run-scheduler", &self.scheduler().to_string()])
            .args(["--endpoint-url", &format!("http://{}", self.http())]);
        self.worker = Some(spawn(&mut worker));
    }

    fn kill(&mut self) {
        for process in [Some(&mut self.process), self.worker.as_mut()].into_iter().flatten() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn spawn(command: &mut Command) -> Child {
    command
        .env("TREENAIL_LOG", "error")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

pub(crate) fn wait_for(process: &mut Child, port: u16) {
    while TcpStream::connect(local(port)).is_err() {
        assert!(process.try_wait().unwrap().is_none(), "the server does not start");
        thread::yield_now();
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(local(0)).unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
