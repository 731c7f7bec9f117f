//! Installs the Python modules that a job asks for, once for all jobs that ask for the same.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
};

use sha2::{Digest as _, Sha256};
use tokio::{fs, process::Command, sync::Mutex, task::spawn_blocking};
use treenail_proto::worker::v1::JobTask;

use super::{
    folder::AttemptFolder,
    staging::{fetch_into, listed},
};
use crate::fetch::Fetcher;

const MODULES_ARGUMENT: &str = "--additional-python-modules";
const OPTIONS_ARGUMENT: &str = "--python-modules-installer-option";
/// The folder of all installed modules in the worker's folder.
pub(crate) const MODULES: &str = "modules";
const OWNER_ONLY: u32 = 0o700;
/// How many of the installer's last characters a job run's error message tells.
const TOLD_CHARACTERS_MAX: usize = 1_000;

/// The modules that a job asks for.
#[derive(Debug)]
pub(crate) struct Requirements {
    /// What `pip install` is told of them.
    arguments: Vec<OsString>,
    /// The same for the same modules, wherever they are from.
    fingerprint: Sha256,
}

impl Requirements {
    /// Fetches what is to be fetched of the modules of `--additional-python-modules`; `None` when the job asks for none.
    ///
    /// # Errors
    /// In words when something cannot be fetched.
    pub(crate) async fn of(
        fetcher: &Fetcher<'_>,
        job: &JobTask,
        folder: &AttemptFolder,
    ) -> Result<Option<Requirements>, String> {
        if !are_asked_for(job) {
            return Ok(None);
        }
        let options = job.arguments.get(OPTIONS_ARGUMENT).map_or("", String::as_str);
        let mut arguments: Vec<OsString> = options.split_whitespace().map(OsString::from).collect();
        let mut fingerprint = Sha256::new();
        for module in listed(job, MODULES_ARGUMENT) {
            fingerprint.update([0]);
            fingerprint.update(module);
            if module.starts_with("s3://") {
                let wheel = fetch_into(fetcher, module, &folder.libraries()).await?;
                // The same address may hold another wheel tomorrow.
                let content = fs::read(&wheel).await.map_err(|error| error.to_string())?;
                fingerprint.update(Sha256::digest(&content));
                arguments.push(wheel.into_os_string());
            } else {
                arguments.push(module.into());
            }
        }
        fingerprint.update(options.split_whitespace().collect::<Vec<_>>().join("\0"));
        Ok(Some(Requirements { arguments, fingerprint }))
    }

    /// What an interpreter is told to install them into a folder.
    pub(crate) fn installation(&self, target: &Path) -> Vec<OsString> {
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--target",
        ];
        let pip = pip.into_iter().map(OsString::from);
        pip.chain([target.as_os_str().to_owned()])
            .chain(self.arguments.iter().cloned())
            .collect()
    }
}

/// Whether a job asks for modules.
pub(crate) fn are_asked_for(job: &JobTask) -> bool {
    !listed(job, MODULES_ARGUMENT).is_empty()
}

/// The folder with the modules of `--additional-python-modules`; `None` when the job asks for none.
///
/// # Errors
/// In words when they cannot be fetched or installed.
pub(super) async fn install(
    fetcher: &Fetcher<'_>,
    job: &JobTask,
    folder: &AttemptFolder,
    installing: &Mutex<()>,
) -> Result<Option<PathBuf>, String> {
    let Some(requirements) = Requirements::of(fetcher, job, folder).await? else {
        return Ok(None);
    };
    let python = &fetcher.config.python;
    let fingerprint = requirements.fingerprint.clone();
    let name: String = fingerprint
        .chain_update(python.as_os_str().as_encoded_bytes())
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let installed = fetcher.config.work_dir.join(MODULES).join(&name);

    let _turn = installing.lock().await;
    if fs::try_exists(&installed).await.map_err(|error| error.to_string())? {
        return Ok(Some(installed));
    }
    let unfinished = installed.with_extension("unfinished");
    let mut pip = Command::new(python);
    pip.args(requirements.installation(&unfinished));
    folder.hand_over().await?;
    run(pip, fetcher, folder, &unfinished).await?;
    if let Some(user) = fetcher.config.job_user {
        // From here on they are of all jobs, and no job may change them.
        let done = unfinished.clone();
        let taken = spawn_blocking(move || user.take_back(&done)).await;
        let taken = taken.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        taken.map_err(|error| format!("the installed modules cannot be kept: {error}"))?;
    }
    fs::rename(&unfinished, &installed)
        .await
        .map_err(|error| format!("the installed modules cannot be kept: {error}"))?;
    Ok(Some(installed))
}

async fn run(mut pip: Command, fetcher: &Fetcher<'_>, folder: &AttemptFolder, target: &Path) -> Result<(), String> {
    let failed = not_installed;
    // A worker that died while it installed left half of it.
    if fs::try_exists(target).await.unwrap_or(false) {
        fs::remove_dir_all(target)
            .await
            .map_err(|error| failed(&error.to_string()))?;
    }
    if let Some(user) = fetcher.config.job_user {
        let mut builder = fs::DirBuilder::new();
        builder.mode(OWNER_ONLY);
        let made = builder.create(target).await.and_then(|()| user.own(target));
        made.map_err(|error| failed(&error.to_string()))?;
        // What is installed may run as it is built.
        pip.uid(user.uid).gid(user.gid);
    }
    pip.current_dir(folder.work())
        .env_clear()
        .envs(environment(fetcher, folder))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let timeout = fetcher.config.limits.install_timeout;
    match tokio::time::timeout(timeout, pip.output()).await {
        Ok(Ok(answer)) if answer.status.success() => Ok(()),
        Ok(Ok(answer)) => Err(failed(&String::from_utf8_lossy(&answer.stderr))),
        Ok(Err(error)) => Err(failed(&error.to_string())),
        Err(_elapsed) => Err(failed(&format!("it takes longer than {} seconds", timeout.as_secs()))),
    }
}

/// All variables of the installer.
pub(crate) fn environment(fetcher: &Fetcher<'_>, folder: &AttemptFolder) -> BTreeMap<String, OsString> {
    let mut search_path = fetcher
        .config
        .python
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
        .into_os_string();
    search_path.push(":/usr/local/bin:/usr/bin:/bin");
    let own = [
        ("PATH", search_path),
        ("HOME", folder.work().into_os_string()),
        ("TMPDIR", folder.temporary().into_os_string()),
        ("LANG", "C.UTF-8".into()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    let given = fetcher.config.installer_environment.iter();
    own.chain(given.map(|(name, value)| (name.clone(), value.into())))
        .collect()
}

/// Says that modules cannot be installed; of why, the end.
pub(crate) fn not_installed(cause: &str) -> String {
    let skipped = cause.chars().count().saturating_sub(TOLD_CHARACTERS_MAX);
    let cause: String = cause.chars().skip(skipped).collect();
    format!(
        "The modules of {MODULES_ARGUMENT} cannot be installed: {}",
        cause.trim()
    )
}
