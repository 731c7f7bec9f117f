//! All services in one process: calls between them are function calls.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use treenail_gateway::{Backends, Ports};
use treenail_rpc::{Clock, Entropy, Listener, guard::Guard, in_process, serve_grpc, tls};
use treenail_run_scheduler::WORKER_SERVICES;
use treenail_storage::lock::DataDir;

use super::{admin::Admin, bind, clock, lock, on_fatal, worker_config};
use crate::{
    cli::{ClockKind, Serve},
    config::FileConfig,
    terminal,
};

/// `treenail serve`.
pub(crate) async fn run(arguments: &Serve, file: FileConfig) -> anyhow::Result<()> {
    let server = Server::bind(arguments).await?;
    terminal::say(&format!(
        "treenail is ready: AWS JSON and S3 on {}://{}, gRPC on {}",
        arguments.front.tls.scheme(),
        server.http_address,
        server.grpc_address
    ));
    let shutdown = treenail_rpc::shutdown::signal()?;
    Box::pin(server.run(file, shutdown.token())).await
}

/// A server that has its ports and its data directory.
#[derive(Debug)]
pub(crate) struct Server {
    ports: Ports,
    /// For workers in other processes.
    scheduler: Option<Listener>,
    admin: Admin,
    pub(crate) http_address: SocketAddr,
    pub(crate) grpc_address: SocketAddr,
    data_dir: DataDir,
    arguments: Serve,
}

impl Server {
    /// Takes the ports and the data directory.
    pub(crate) async fn bind(arguments: &Serve) -> anyhow::Result<Self> {
        let front = &arguments.front;
        let admin = Admin::bind(&arguments.admin, front.insecure).await?;
        let mut ports = front.bind().await?;
        if ports.http.is_encrypted() {
            // A certificate names the host that clients know, and jobs of this process come from within.
            ports.http_of_jobs = Some(bind((Ipv4Addr::LOCALHOST, 0).into(), true).await?.into());
        }
        let scheduler = match arguments.scheduler_listen {
            Some(address) => Some(workers_port(arguments, address).await?),
            None => None,
        };
        let data_dir = lock(&arguments.data_dir).await?;
        Ok(Self {
            http_address: ports.http.local_addr()?,
            grpc_address: ports.grpc.local_addr()?,
            ports,
            scheduler,
            admin,
            data_dir,
            arguments: arguments.clone(),
        })
    }

    /// Runs all services until `stop` is cancelled.
    pub(crate) async fn run(self, file: FileConfig, stop: CancellationToken) -> anyhow::Result<()> {
        let folder = self.data_dir.path().to_owned();
        let Serve {
            front,
            clock: kind,
            jobs,
            ..
        } = self.arguments;
        let services = Services::open(&folder, kind, file)?;
        let backends = services.backends();
        let scheduler = backends.run_scheduler.clone();
        let admin = self.admin.serve_over(backends.clone(), stop.clone());
        let job_key = front.access.own_job_key()?;
        let (config, deps) = super::gateway(&front, &folder, backends, job_key.clone())?;
        let for_jobs = self
            .ports
            .http_of_jobs
            .as_ref()
            .unwrap_or(&self.ports.http)
            .local_addr()?;
        let endpoint_url = format!("http://{for_jobs}");
        let gateway = treenail_gateway::serve(config, deps, self.ports, stop.clone().cancelled_owned());
        let workers = serve_workers(self.scheduler, services.run_scheduler.worker_routes(), stop.clone());
        let worker = worker_config(&folder, &jobs, endpoint_url, front.s3_endpoint, job_key)?;
        let deps = treenail_worker::Deps {
            scheduler,
            entropy: Entropy::os(),
            in_touch: watch::Sender::new(false),
        };
        let has_worker = jobs.slots > 0;
        let worker_stop = stop.clone();
        let worker = async move {
            if has_worker {
                return treenail_worker::run(worker, deps, worker_stop.cancelled_owned()).await;
            }
            worker_stop.cancelled().await;
            Ok(())
        };
        let Services {
            control_plane,
            run_scheduler,
            ..
        } = services;
        // The worker says how its tasks ended before the run-scheduler ends.
        let worker_ended = CancellationToken::new();
        let worker = async {
            let ended = worker.await;
            worker_ended.cancel();
            // One that could not start ends the others.
            stop.cancel();
            ended
        };
        let scheduler = async {
            let ended = run_scheduler.run(worker_ended.clone().cancelled_owned()).await;
            stop.cancel();
            ended
        };
        let definitions = control_plane.run(stop.clone().cancelled_owned());
        let (gateway, worker, scheduler, workers, (), ()) =
            tokio::join!(gateway, worker, scheduler, workers, definitions, admin);
        scheduler?;
        worker?;
        workers?;
        Ok(gateway?)
    }
}

/// Takes the port of workers in other processes.
async fn workers_port(arguments: &Serve, address: SocketAddr) -> anyhow::Result<Listener> {
    let tokens = arguments.worker_token.taken()?;
    let is_safe = arguments.front.insecure || tokens.is_some();
    let tls = arguments.front.tls.open(tls::GRPC)?;
    Ok(Listener::new(bind(address, is_safe).await?, tls).guarded(Guard {
        by_token: WORKER_SERVICES,
        tokens,
        by_certificate: false,
    }))
}

/// Serves the run-scheduler on a port of its own, if there is one, to workers in other processes.
async fn serve_workers(listener: Option<Listener>, routes: Routes, stop: CancellationToken) -> anyhow::Result<()> {
    match listener {
        Some(listener) => Ok(serve_grpc(listener, routes, WORKER_SERVICES, stop.cancelled_owned()).await?),
        None => Ok(()),
    }
}

/// The three services that keep something.
struct Services {
    control_plane: treenail_control_plane::Service<treenail_control_plane::store::sqlite::SqliteStore>,
    run_scheduler: treenail_run_scheduler::Service<treenail_run_scheduler::store::sqlite::SqliteStore>,
    properties: treenail_rpc::Channel,
}

impl Services {
    fn open(folder: &Path, kind: ClockKind, file: FileConfig) -> anyhow::Result<Self> {
        let (clock, entropy): (Clock, Entropy) = (clock(kind), Entropy::os());
        let store = treenail_properties_store::store::sqlite::Sqlite::open(&folder.join("properties.db"), on_fatal())?;
        let properties =
            treenail_properties_store::build(file.properties_store, treenail_properties_store::Deps { store });
        let properties = in_process(properties.routes());
        let run_scheduler = treenail_run_scheduler::build(
            file.run_scheduler,
            treenail_run_scheduler::Deps {
                store: treenail_run_scheduler::store::sqlite::SqliteStore::open(&folder.join("runs.db"), on_fatal())?,
                properties: properties.clone(),
                clock: clock.clone(),
                entropy: entropy.clone(),
                logs: &folder.join("logs"),
            },
        );
        let control_plane = treenail_control_plane::build(
            file.control_plane,
            treenail_control_plane::Deps {
                store: treenail_control_plane::store::sqlite::SqliteStore::open(
                    &folder.join("definitions.db"),
                    on_fatal(),
                )?,
                scheduler: in_process(run_scheduler.routes()),
                clock,
                entropy,
            },
        );
        Ok(Self {
            control_plane,
            run_scheduler,
            properties,
        })
    }

    fn backends(&self) -> Backends {
        Backends {
            control_plane: in_process(self.control_plane.routes()),
            run_scheduler: in_process(self.run_scheduler.routes()),
            properties_store: self.properties.clone(),
        }
    }
}
