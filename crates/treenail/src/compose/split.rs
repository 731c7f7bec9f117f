//! Each service alone, talking gRPC to the others.

use std::{net::SocketAddr, time::Duration};

use tokio::sync::watch;
use treenail_gateway::Backends;
use treenail_rpc::{Entropy, Listener, guard::Tokens, serve_grpc};
use treenail_worker::Authority;

use super::{admin::Admin, bind, clock, lock, on_fatal, worker_config};
use crate::{
    cli::{ControlPlane, Gateway, Inner, PropertiesStore, RunScheduler, Worker},
    config::FileConfig,
    terminal,
};

impl Inner {
    /// Takes the port for operators, and the one for other services and the holders of tokens.
    async fn bind(&self, listen: SocketAddr, tokens: Option<Tokens>) -> anyhow::Result<(Admin, Listener)> {
        let admin = Admin::bind(&self.admin, self.insecure).await?;
        let tcp = bind(listen, self.insecure || self.peer.is_mutual()).await?;
        Ok((admin, self.peer.listener(tcp, tokens)?))
    }
}

/// `treenail gateway`.
pub(crate) async fn gateway(arguments: &Gateway) -> anyhow::Result<()> {
    let front = &arguments.front;
    let admin = Admin::bind(&arguments.admin, front.insecure).await?;
    let ports = front.bind().await?;
    let backends = Backends {
        control_plane: arguments.peer.connect(&arguments.control_plane)?,
        run_scheduler: arguments.peer.connect(&arguments.run_scheduler)?,
        properties_store: arguments.peer.connect(&arguments.properties_store)?,
    };
    let shutdown = treenail_rpc::shutdown::signal()?;
    let job_key = front.access.job_key.read()?;
    let (config, deps) = super::gateway(front, &arguments.data_dir, backends.clone(), job_key)?;
    let admin = admin.serve_over(backends, shutdown.token());
    terminal::say(&format!(
        "the gateway is ready on {}://{} and {}",
        front.tls.scheme(),
        ports.http.local_addr()?,
        ports.grpc.local_addr()?
    ));
    let served = treenail_gateway::serve(config, deps, ports, shutdown.requested());
    let (served, ()) = tokio::join!(served, admin);
    Ok(served?)
}

/// `treenail control-plane`.
pub(crate) async fn control_plane(arguments: &ControlPlane, file: FileConfig) -> anyhow::Result<()> {
    let (admin, listener) = arguments.inner.bind(arguments.listen, None).await?;
    let data_dir = lock(&arguments.data_dir).await?;
    let store =
        treenail_control_plane::store::sqlite::SqliteStore::open(&data_dir.path().join("definitions.db"), on_fatal())?;
    let deps = treenail_control_plane::Deps {
        store,
        scheduler: arguments.inner.peer.connect(&arguments.run_scheduler)?,
        clock: clock(arguments.inner.clock),
        entropy: Entropy::os(),
    };
    let service = treenail_control_plane::build(file.control_plane, deps);
    terminal::say(&format!("the control-plane is ready on {}", listener.local_addr()?));
    let shutdown = treenail_rpc::shutdown::signal()?;
    let served = serve_grpc(
        listener,
        service.routes(),
        treenail_control_plane::SERVICES,
        shutdown.requested(),
    );
    let admin = admin.serve(serving, shutdown.token());
    let (served, (), ()) = tokio::join!(served, service.run(shutdown.requested()), admin);
    Ok(served?)
}

/// `treenail run-scheduler`.
pub(crate) async fn run_scheduler(arguments: &RunScheduler, file: FileConfig) -> anyhow::Result<()> {
    let tokens = arguments.worker_token.taken()?;
    let (admin, listener) = arguments.inner.bind(arguments.listen, tokens).await?;
    let data_dir = lock(&arguments.data_dir).await?;
    let deps = treenail_run_scheduler::Deps {
        store: treenail_run_scheduler::store::sqlite::SqliteStore::open(&data_dir.path().join("runs.db"), on_fatal())?,
        properties: arguments.inner.peer.connect(&arguments.properties_store)?,
        clock: clock(arguments.inner.clock),
        entropy: Entropy::os(),
        logs: &data_dir.path().join("logs"),
    };
    let service = treenail_run_scheduler::build(file.run_scheduler, deps);
    terminal::say(&format!("the run-scheduler is ready on {}", listener.local_addr()?));
    let shutdown = treenail_rpc::shutdown::signal()?;
    let served = serve_grpc(
        listener,
        service.routes(),
        treenail_run_scheduler::SERVICES,
        shutdown.requested(),
    );
    let run = async {
        let ended = service.run(shutdown.requested()).await;
        shutdown.token().cancel();
        ended
    };
    let admin = admin.serve(serving, shutdown.token());
    let (served, ended, ()) = tokio::join!(served, run, admin);
    ended?;
    Ok(served?)
}

/// `treenail properties-store`.
pub(crate) async fn properties_store(arguments: &PropertiesStore, file: FileConfig) -> anyhow::Result<()> {
    let (admin, listener) = arguments.inner.bind(arguments.listen, None).await?;
    let data_dir = lock(&arguments.data_dir).await?;
    let store =
        treenail_properties_store::store::sqlite::Sqlite::open(&data_dir.path().join("properties.db"), on_fatal())?;
    let service = treenail_properties_store::build(file.properties_store, treenail_properties_store::Deps { store });
    terminal::say(&format!("the properties-store is ready on {}", listener.local_addr()?));
    let shutdown = treenail_rpc::shutdown::signal()?;
    let admin = admin.serve(serving, shutdown.token());
    let served = treenail_properties_store::serve(service, listener, shutdown.requested());
    let (served, ()) = tokio::join!(served, admin);
    Ok(served?)
}

/// `treenail worker`.
pub(crate) async fn worker(arguments: &Worker) -> anyhow::Result<()> {
    let admin = Admin::bind(&arguments.admin, arguments.insecure).await?;
    let data_dir = lock(&arguments.data_dir).await?;
    let endpoint_url = arguments.endpoint_url.clone();
    let mut config = worker_config(
        data_dir.path(),
        &arguments.jobs,
        endpoint_url,
        arguments.s3_endpoint.clone(),
        arguments.job_key.read()?,
    )?;
    config.authority = match &arguments.ca {
        Some(bundle) => Some(Authority::open(std::path::absolute(bundle)?)?),
        None => None,
    };
    if let Some(worker_id) = &arguments.worker_id {
        config.worker_id.clone_from(worker_id);
    }
    config.limits.drain_timeout = Duration::from_secs(arguments.drain_seconds.into());
    let deps = treenail_worker::Deps {
        scheduler: arguments
            .peer
            .connect_with(&arguments.run_scheduler, arguments.worker_token.said()?)?,
        entropy: Entropy::os(),
        in_touch: watch::Sender::new(false),
    };
    let in_touch = deps.in_touch.subscribe();
    let shutdown = treenail_rpc::shutdown::signal()?;
    terminal::say("the worker is ready");
    let admin = admin.serve(move || std::future::ready(*in_touch.borrow()), shutdown.token());
    let worker = async {
        let ended = treenail_worker::run(config, deps, shutdown.requested()).await;
        // One that could not start must not wait for a signal.
        shutdown.token().cancel();
        ended
    };
    let (ended, ()) = tokio::join!(worker, admin);
    Ok(ended?)
}

/// A service that has its store and its port does what it is for.
fn serving() -> std::future::Ready<bool> {
    std::future::ready(true)
}
