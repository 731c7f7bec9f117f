//! The files of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold what others wrote or what a build left.
const FOLDERS_SKIPPED: &[&str] = &["target", "node_modules", "__pycache__"];

/// A text file.
pub(crate) struct File {
    /// Its path from the top of the repository.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

/// The file at a path from the top of the repository.
pub(crate) fn file(path: &str) -> File {
    let text = fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    File {
        path: path.to_owned(),
        text,
    }
}

/// The files below a folder whose names end so, in the order of their paths.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<File> {
    let mut found = Vec::new();
    collect(&top().join(folder), ending, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no {ending} below {folder}");
    found
        .into_iter()
        .map(|path| file(path.strip_prefix(top()).unwrap().to_str().unwrap()))
        .collect()
}

/// Fails with all violations of a rule at once.
pub(crate) fn report(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_skipped = name.starts_with('.') || FOLDERS_SKIPPED.contains(&name);
        if path.is_dir() && !is_skipped {
            collect(&path, ending, found);
        } else if path.is_file() && name.ends_with(ending) {
            found.push(path);
        }
    }
}
