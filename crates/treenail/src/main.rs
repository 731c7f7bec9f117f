//! The binary: all services in one process, each alone, and the command line that uses them.
//!
//! Start reading at [`run`], then `compose` for how services are put together and `command` for the rest.

mod cli;
mod client;
mod command;
mod compose;
mod config;
mod graph;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;
use treenail_planted::failpoint;

use crate::{
    cli::{Cli, Command},
    config::FileConfig,
};

/// The exit code of a command that failed.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::complain(&format!("cannot start: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            ExitCode::from(compose::exit_code(&error).unwrap_or(FAILED))
        }
    }
}

/// Whoever asks for a death must get it, or hear that there is none in this build.
fn obey_failpoint() -> anyhow::Result<()> {
    let Some(value) = std::env::var_os(failpoint::VARIABLE) else {
        return Ok(());
    };
    failpoint::arm(&value.to_string_lossy()).map_err(|refused| match refused {
        failpoint::Refused::NotBuiltIn => anyhow::anyhow!(
            "{} is set, and this build has no failpoints (feature `failpoints`)",
            failpoint::VARIABLE
        ),
        failpoint::Refused::Malformed => {
            let names: Vec<&str> = failpoint::Step::ALL.iter().map(|step| step.name()).collect();
            anyhow::anyhow!(
                "{} is <step>:<n>, with a step of {}",
                failpoint::VARIABLE,
                names.join(", ")
            )
        }
    })
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Some(service) = cli.command.service() else {
        return execute(cli).await;
    };
    let otlp = cli.telemetry.of(service).map_err(compose::refused)?;
    let telemetry = treenail_rpc::telemetry::init(cli.log_format.into(), &cli.log, otlp.as_ref())?;
    obey_failpoint()?;
    treenail_rpc::limits::raise_open_files();
    let ended = execute(cli).await;
    telemetry.end().await;
    ended
}

async fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    let file = FileConfig::read(cli.config.as_deref())?;
    match cli.command {
        // The large futures live on the heap.
        Command::Serve(arguments) => Box::pin(compose::all_in_one::run(&arguments, file)).await?,
        Command::Gateway(arguments) => Box::pin(compose::split::gateway(&arguments)).await?,
        Command::ControlPlane(arguments) => Box::pin(compose::split::control_plane(&arguments, file)).await?,
        Command::RunScheduler(arguments) => Box::pin(compose::split::run_scheduler(&arguments, file)).await?,
        Command::PropertiesStore(arguments) => compose::split::properties_store(&arguments, file).await?,
        Command::Worker(arguments) => compose::split::worker(&arguments).await?,
        Command::Stage(arguments) => return Ok(command::stage::run(&arguments).await),
        Command::Demo(arguments) => return Box::pin(command::demo::run(&arguments, file)).await,
        Command::Keys { step, credentials } => command::keys::run(credentials.as_deref(), &step)?,
        Command::Trust { folder, hosts, days } => command::trust::run(&folder, &hosts, days)?,
        Command::Healthcheck { admin_listen } => return command::healthcheck::run(admin_listen).await,
        Command::Apply { path, target } => command::apply::run(&target.client()?, &path).await?,
        Command::Run {
            workflow,
            properties,
            no_follow,
            target,
        } => {
            return command::run::run(&target.client()?, &workflow, &properties, !no_follow).await;
        }
        Command::Ls { what, name, target } => command::ls::run(&target.client()?, what, name.as_deref()).await?,
        Command::Show { name, run, target } => command::show::run(&target.client()?, &name, run.as_deref()).await?,
        Command::Explain { run, node, target } => {
            command::explain::run(&target.client()?, &run, node.as_deref()).await?;
        }
        Command::History { run, target } => command::history::run(&target.client()?, &run).await?,
        Command::Diff { one, other, target } => command::diff::run(&target.client()?, &one, &other).await?,
        Command::Logs {
            id,
            follow,
            stdout,
            stderr,
            target,
        } => {
            let wanted = command::logs::Wanted::of(stdout, stderr);
            command::logs::run(&target.client()?, &id, wanted, follow).await?;
        }
        Command::Stop { workflow, run, target } => command::stop::run(&target.client()?, &workflow, &run).await?,
        Command::Resume {
            workflow,
            run,
            nodes,
            target,
        } => {
            command::resume::run(&target.client()?, &workflow, &run, &nodes).await?;
        }
        Command::Clock { step, target } => command::clock::run(&target.client()?, step.as_ref()).await?,
    }
    Ok(ExitCode::SUCCESS)
}
