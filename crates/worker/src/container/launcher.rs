//! How a script within a container gets its arguments and its environment without anybody else's seeing them.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use tokio::{fs, io::AsyncWriteExt as _};

use crate::task::Launch;

/// The file's name in the attempt's folder.
const FILE: &str = "launch";
/// Nobody but the owner reads it.
const OWNER_ONLY: u32 = 0o600;
/// The variable that says where programs are, which the image knows better than the worker.
const SEARCH_PATH: &str = "PATH";

/// Becomes the script, with what the file says: its arguments, and its environment over the image's.
///
/// Each entry of the file begins with its kind and ends with a zero byte, which neither can hold.
pub(super) const LAUNCHER: &str = "import os, sys
entries = open(sys.argv[1], 'rb').read().split(b'\\0')[:-1]
arguments = [entry[1:] for entry in entries if entry[:1] == b'A']
variables = dict(entry[1:].split(b'=', 1) for entry in entries if entry[:1] == b'E')
os.umask(0o077)
os.execve(sys.executable, [os.fsencode(sys.executable), *arguments], {**os.environb, **variables})";

/// Writes what a script is told into the attempt's folder; gives back the file.
///
/// # Errors
/// In words when it cannot be written, or cannot be told to a process.
pub(super) async fn write(launch: &Launch<'_>) -> Result<PathBuf, String> {
    let path = launch.folder.root().join(FILE);
    let content = content(launch)?;
    let failed = |error: std::io::Error| format!("The script's arguments cannot be kept: {error}");
    write_file(&path, &content).await.map_err(failed)?;
    Ok(path)
}

fn content(launch: &Launch<'_>) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let mut add = |kind: u8, parts: &[&OsStr]| {
        content.push(kind);
        for part in parts {
            if part.as_bytes().contains(&0) {
                return Err("The script's process cannot be started: nul byte found in provided data".to_owned());
            }
            content.extend(part.as_bytes());
        }
        content.push(0);
        Ok(())
    };
    for argument in &launch.arguments {
        add(b'A', &[argument])?;
    }
    let variables = launch.environment.iter().filter(|(name, _)| *name != SEARCH_PATH);
    for (name, value) in variables {
        add(b'E', &[OsStr::new(name), OsStr::new("="), value])?;
    }
    Ok(content)
}

async fn write_file(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(OWNER_ONLY).open(path).await?;
    file.write_all(content).await?;
    file.flush().await
}
