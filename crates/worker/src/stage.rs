//! What runs within an attempt's pod before its script: everything the script needs is brought to where it finds it.
//!
//! The very same as the process executor does, up to where a process would be started; that is written down instead.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use prost::Message as _;
use serde::{Deserialize, Serialize};
use tokio::fs;
use treenail_proto::worker::v1::Task;
use treenail_rpc::Clock;
use treenail_sigv4::SecretKey;

use crate::{
    config::{Authority, Config},
    credentials::Credentials,
    fetch::Fetcher,
    task::{
        AttemptFolder, command_line, environment,
        modules::{self, Requirements},
        staging,
    },
};

/// The file with the task, as protobuf.
pub(crate) const TASK: &str = "task";
/// The file with the [`Settings`], as JSON.
pub(crate) const SETTINGS: &str = "settings";
/// The file that tells how the script is started.
pub(crate) const SCRIPT_LAUNCH: &str = "script.json";
/// The file that tells how modules are installed, if any are asked for.
pub(crate) const MODULES_LAUNCH: &str = "modules.json";

/// The file with the certificates of the authority that vouches for the gateway, in the attempt's folder.
const AUTHORITY: &str = "authority.pem";

/// What of a worker's settings the pod needs, and the credentials of the job.
#[derive(Serialize, Deserialize)]
pub(crate) struct Settings {
    worker_id: String,
    aws_endpoint_url: String,
    s3_endpoint_url: Option<String>,
    allow_http: bool,
    script_environment: BTreeMap<String, String>,
    installer_environment: BTreeMap<String, String>,
    access_key: String,
    secret: String,
    /// The certificates of the authority that vouches for the gateway, where the worker was given some.
    authority: Option<String>,
}

impl Settings {
    /// Those of a worker, and the credentials of a job.
    ///
    /// # Errors
    /// In words when the file of certificates cannot be read.
    pub(crate) async fn of(config: &Config, credentials: &Credentials) -> Result<Settings, String> {
        let authority = match &config.authority {
            Some(authority) => {
                let text = fs::read_to_string(&authority.bundle).await;
                Some(text.map_err(|error| format!("{} cannot be read: {error}", authority.bundle.display()))?)
            }
            None => None,
        };
        Ok(Settings {
            worker_id: config.worker_id.clone(),
            aws_endpoint_url: config.aws_endpoint_url.clone(),
            s3_endpoint_url: config.s3_endpoint_url.clone(),
            allow_http: config.allow_http,
            script_environment: config.script_environment.clone(),
            installer_environment: config.installer_environment.clone(),
            access_key: credentials.access_key.clone(),
            secret: credentials.secret.expose().to_owned(),
            authority,
        })
    }

    async fn split(self, attempt: &Path, awsglue: &Path) -> Result<(Config, Credentials), String> {
        let authority = match self.authority {
            Some(text) => {
                let bundle = attempt.join(AUTHORITY);
                let written = fs::write(&bundle, text).await;
                written.map_err(|error| format!("{} cannot be written: {error}", bundle.display()))?;
                Some(Authority::open(bundle).map_err(|error| error.to_string())?)
            }
            None => None,
        };
        let config = Config {
            worker_id: self.worker_id,
            work_dir: attempt.to_owned(),
            awsglue_path: awsglue.to_owned(),
            aws_endpoint_url: self.aws_endpoint_url,
            s3_endpoint_url: self.s3_endpoint_url,
            allow_http: self.allow_http,
            script_environment: self.script_environment,
            installer_environment: self.installer_environment,
            authority,
            ..Config::default()
        };
        let credentials = Credentials {
            access_key: self.access_key,
            secret: SecretKey::new(self.secret),
        };
        Ok((config, credentials))
    }
}

/// What `launch.py` is to become.
#[derive(Debug, Serialize)]
struct Launch {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: String,
}

/// Where things are within the pod.
#[derive(Clone, Copy, Debug)]
pub struct Places<'p> {
    /// Where the task and the settings are.
    pub order: &'p Path,
    /// Where the script and its files go.
    pub attempt: &'p Path,
    /// Where it is written down how the script is started.
    pub launch: &'p Path,
    /// Where `import awsglue` finds the package.
    pub awsglue: &'p Path,
}

/// Brings an attempt's script, files and environment to where its container finds them.
///
/// # Errors
/// In words, for the job run's error message, when that cannot be done.
pub async fn stage(places: Places<'_>) -> Result<(), String> {
    let task = read(places.order, TASK).await?;
    let task = Task::decode(task.as_slice()).map_err(|error| format!("The task cannot be read: {error}"))?;
    let settings = read(places.order, SETTINGS).await?;
    let settings: Settings =
        serde_json::from_slice(&settings).map_err(|_| "The settings cannot be read.".to_owned())?;
    let job = task.job.as_ref().ok_or("The task holds no job.")?;
    let (config, credentials) = settings.split(places.attempt, places.awsglue).await?;

    let engine = command_line::engine(job)?;
    let folder = AttemptFolder::within(places.attempt)?;
    let clock = Clock::system();
    let fetcher = Fetcher {
        config: &config,
        clock: &clock,
        credentials: &credentials,
        region: &task.region,
    };
    let mut staged = staging::stage(&fetcher, job, engine, &folder).await?;
    if let Some(requirements) = Requirements::of(&fetcher, job, &folder).await? {
        staged.python_path.push(folder.modules());
        let installation = requirements.installation(&folder.modules());
        let launch = launch(&folder, installation, modules::environment(&fetcher, &folder))?;
        write(places.launch, MODULES_LAUNCH, &launch).await?;
    }
    staged.python_path.push(config.awsglue_path.clone());
    let environment = environment::of(&config, &task, job, &folder, &staged.python_path, &credentials)?;
    let arguments = command_line::of(&task, job, engine, &staged.script);
    write(places.launch, SCRIPT_LAUNCH, &launch(&folder, arguments, environment)?).await
}

fn launch(
    folder: &AttemptFolder,
    arguments: Vec<OsString>,
    mut environment: BTreeMap<String, OsString>,
) -> Result<Launch, String> {
    // The image knows where its own programs are.
    environment.remove("PATH");
    let text = |text: OsString| {
        text.into_string()
            .map_err(|_| "A name that is not UTF-8 cannot be passed on.".to_owned())
    };
    let environment = environment.into_iter().map(|(name, value)| Ok((name, text(value)?)));
    Ok(Launch {
        arguments: arguments.into_iter().map(text).collect::<Result<_, _>>()?,
        environment: environment.collect::<Result<_, String>>()?,
        folder: text(folder.work().into_os_string())?,
    })
}

async fn read(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    let path = folder.join(name);
    fs::read(&path)
        .await
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

async fn write(folder: &Path, name: &str, launch: &Launch) -> Result<(), String> {
    let path = folder.join(name);
    let text = serde_json::to_vec(launch).map_err(|error| error.to_string())?;
    fs::write(&path, text)
        .await
        .map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
