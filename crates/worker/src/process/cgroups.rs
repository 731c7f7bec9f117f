//! Control groups: the kernel's own bounds on what the processes of a job have together, where the worker may make groups.
//!
//! Of the unified hierarchy (version 2) one folder has all bounds; of the first version each bound has a hierarchy.

use std::{
    ffi::CString,
    fs,
    io::{self, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::bounds::Bounds;

/// The group that the worker moves itself to: of version 2, only groups without groups of their own may have processes.
const OWN: &str = "treenail-worker";
/// The file that names the processes of a group, and takes new ones.
const PROCESSES: &str = "cgroup.procs";
/// How often a group is tried to be removed: its last processes may still be on their way out.
const REMOVALS_MAX: u32 = 50;
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);

/// Where the groups of jobs are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CgroupFolder {
    /// In the group that this process is in.
    Own,
    /// In a folder of the unified hierarchy that is the worker's alone.
    Folder(PathBuf),
}

/// The folders in which groups are made.
#[derive(Debug)]
pub(crate) struct Cgroups {
    folders: Vec<(Kind, PathBuf)>,
    /// How the groups of this worker's jobs begin: another worker may have its own beside them.
    prefix: String,
}

/// The groups of one job: one of version 2, or one for each bound of version 1. They are removed with this value, and what
/// is in them is killed.
#[derive(Debug)]
pub(crate) struct Cgroup {
    groups: Vec<(Kind, PathBuf)>,
}

/// The files through which a process enters a group; ready to be used between fork and exec.
pub(super) type Entrances = Arc<[CString]>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unified,
    Memory,
    Processes,
}

impl Cgroups {
    /// Takes the folders into use, and removes the groups that an earlier process left there.
    ///
    /// # Errors
    /// In words when the machine has no such hierarchy, or the worker may not make groups in it.
    pub(crate) fn open(wanted: &CgroupFolder, worker_id: &str) -> Result<Cgroups, String> {
        let folders = match wanted {
            CgroupFolder::Folder(folder) => vec![(Kind::Unified, folder.clone())],
            CgroupFolder::Own => own_folders()?,
        };
        let cgroups = Cgroups {
            folders,
            prefix: format!("treenail-{worker_id}-"),
        };
        for (kind, folder) in &cgroups.folders {
            let prepared = match kind {
                Kind::Unified => prepare_unified(folder, *wanted == CgroupFolder::Own),
                Kind::Memory | Kind::Processes => Ok(()),
            };
            prepared
                .and_then(|()| remove_leftovers(folder, &cgroups.prefix))
                .map_err(|error| {
                    format!(
                        "control groups cannot be made in {}: {error}; of systemd's units Delegate=yes allows it",
                        folder.display()
                    )
                })?;
        }
        Ok(cgroups)
    }

    /// Makes the group of an attempt.
    pub(super) fn make(&self, name: &str, bounds: Bounds) -> io::Result<Cgroup> {
        let mut cgroup = Cgroup { groups: Vec::new() };
        for (kind, folder) in &self.folders {
            let group = folder.join(format!("{}{name}", self.prefix));
            fs::create_dir(&group)?;
            cgroup.groups.push((*kind, group.clone()));
            bound(*kind, &group, bounds)?;
        }
        Ok(cgroup)
    }
}

impl Cgroup {
    /// The files through which a process enters.
    pub(super) fn entrances(&self) -> io::Result<Entrances> {
        let entrance = |(_, group): &(Kind, PathBuf)| {
            let path = group.join(PROCESSES);
            CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from)
        };
        self.groups.iter().map(entrance).collect()
    }

    /// Whether the kernel killed something in it because it had too much memory.
    pub(super) fn was_out_of_memory(&self) -> bool {
        self.groups.iter().any(|(kind, group)| {
            let file = match kind {
                Kind::Unified => "memory.events",
                Kind::Memory => "memory.oom_control",
                Kind::Processes => return false,
            };
            let told = fs::read_to_string(group.join(file)).unwrap_or_default();
            told.lines()
                .filter_map(|line| line.strip_prefix("oom_kill "))
                .any(|count| count.trim() != "0")
        })
    }

    /// Kills what is in it, and removes it. What cannot be removed is removed when the worker starts again.
    pub(super) async fn remove(&mut self) {
        for _ in 0..REMOVALS_MAX {
            if self.try_remove() {
                return;
            }
            tokio::time::sleep(REMOVAL_PAUSE).await;
        }
        tracing::warn!(groups = ?self.groups, "a control group is left behind");
        self.groups.clear();
    }

    fn try_remove(&mut self) -> bool {
        self.groups.retain(|(_, group)| !removed(group));
        self.groups.is_empty()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.try_remove();
    }
}

/// Enters groups; called between fork and exec.
pub(super) fn enter(entrances: &Entrances) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};

    for entrance in entrances.iter() {
        let file = rustix::fs::open(entrance.as_c_str(), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&file, b"0")?;
    }
    Ok(())
}

fn bound(kind: Kind, group: &Path, bounds: Bounds) -> io::Result<()> {
    let write = |file: &str, value: &str| fs::write(group.join(file), value);
    // One more than there may be: the watch finds the job that reaches it, and ends it in words.
    let processes = (bounds.processes + 1).to_string();
    let memory = bounds.memory.to_string();
    let is_bounded = bounds.memory < u64::MAX;
    match kind {
        Kind::Unified => {
            write("pids.max", &processes)?;
            if is_bounded {
                write("memory.max", &memory)?;
                // A job whose one process is killed is no job any more.
                write("memory.oom.group", "1")?;
                without_swap(write("memory.swap.max", "0"))?;
            }
            Ok(())
        }
        Kind::Processes => write("pids.max", &processes),
        Kind::Memory if is_bounded => {
            write("memory.limit_in_bytes", &memory)?;
            without_swap(write("memory.memsw.limit_in_bytes", &memory))
        }
        Kind::Memory => Ok(()),
    }
}

/// A kernel that does not count swap has no such file.
fn without_swap(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(()),
        written => written,
    }
}

/// The folders of the groups that this process is in.
fn own_folders() -> Result<Vec<(Kind, PathBuf)>, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"));
    let (groups, mounts) = (read("/proc/self/cgroup")?, read("/proc/self/mountinfo")?);
    if let Some(folder) = folder_of(&groups, &mounts, None) {
        let offered = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
        let offers = |name: &str| offered.split_whitespace().any(|controller| controller == name);
        if offers("memory") && offers("pids") {
            return Ok(vec![(Kind::Unified, folder)]);
        }
    }
    let memory = folder_of(&groups, &mounts, Some("memory"));
    let processes = folder_of(&groups, &mounts, Some("pids"));
    match (memory, processes) {
        (Some(memory), Some(processes)) => Ok(vec![(Kind::Memory, memory), (Kind::Processes, processes)]),
        _ => Err("this machine has no control groups that bound memory and processes".to_owned()),
    }
}

/// The folder of this process's group in the unified hierarchy, or in the one of a controller.
fn folder_of(groups: &str, mounts: &str, controller: Option<&str>) -> Option<PathBuf> {
    // `hierarchy:controllers:/path`, where the unified one is 0 and names none.
    let path = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (hierarchy, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let is_wanted = match controller {
            None => hierarchy == "0",
            Some(wanted) => controllers.split(',').any(|name| name == wanted),
        };
        is_wanted.then_some(path)
    })?;
    // `… root mount-point … - type source options`.
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let (name, options) = (kind.next()?, kind.nth(1)?);
        let is_wanted = match controller {
            None => name == "cgroup2",
            Some(wanted) => name == "cgroup" && options.split(',').any(|option| option == wanted),
        };
        let below = Path::new(path).strip_prefix(root).ok()?;
        is_wanted.then(|| Path::new(point).join(below))
    })
}

/// Lets groups in a folder have bounds: whoever is in the folder itself goes a step down, where it is this process.
fn prepare_unified(folder: &Path, is_own: bool) -> io::Result<()> {
    if is_own {
        let own = folder.join(OWN);
        match fs::create_dir(&own) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => fs::write(own.join(PROCESSES), "0")?,
        }
    }
    fs::write(folder.join("cgroup.subtree_control"), "+memory +pids")
}

fn remove_leftovers(folder: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(prefix));
        if is_ours && !removed(&entry.path()) {
            tracing::warn!(group = %entry.path().display(), "a control group of an earlier process is still there");
        }
    }
    Ok(())
}

/// Kills what is in a group and removes it; whether it is gone.
fn removed(group: &Path) -> bool {
    // Of version 1 there is no such file: there the watch over the job's descendants kills them.
    if let Ok(mut kill) = fs::OpenOptions::new().write(true).open(group.join("cgroup.kill")) {
        // A group that cannot be ended is not gone, and that is told.
        let _refused = kill.write_all(b"1");
    }
    match fs::remove_dir(group) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(()) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "30 29 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
        31 29 0:27 / /sys/fs/cgroup/pids rw shared:10 - cgroup cgroup rw,pids\n\
        32 29 0:28 / /sys/fs/cgroup/unified rw shared:11 - cgroup2 cgroup2 rw\n";
    const UNIFIED: &str = "33 24 0:29 /a.slice /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn the_folder_of_a_process_is_found_below_the_mount_of_its_hierarchy() {
        let hybrid = "8:pids:/\n4:memory:/system.slice/a b.service\n0::/x\n";
        for (groups, mounts, controller, folder) in [
            (
                hybrid,
                HYBRID,
                Some("memory"),
                Some("/sys/fs/cgroup/memory/system.slice/a b.service"),
            ),
            (hybrid, HYBRID, Some("pids"), Some("/sys/fs/cgroup/pids/")),
            (hybrid, HYBRID, None, Some("/sys/fs/cgroup/unified/x")),
            (hybrid, HYBRID, Some("cpu"), None),
            (
                "0::/a.slice/b.service\n",
                UNIFIED,
                None,
                Some("/sys/fs/cgroup/b.service"),
            ),
            ("0::/elsewhere\n", UNIFIED, None, None),
            ("0::/a.slice/b.service\n", UNIFIED, Some("memory"), None),
            ("", "", None, None),
        ] {
            let found = folder_of(groups, mounts, controller);
            assert_eq!(found, folder.map(PathBuf::from), "{groups} {controller:?}");
        }
    }

    /// A folder that only looks like a hierarchy: what a kernel would make of it is not shown.
    #[test]
    fn a_group_of_version_2_gets_its_bounds_in_its_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("treenail-w-left")).unwrap();
        fs::create_dir(folder.path().join("treenail-v-left")).unwrap();
        let cgroups = Cgroups::open(&CgroupFolder::Folder(folder.path().to_owned()), "w").unwrap();
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(text("cgroup.subtree_control"), "+memory +pids");
        assert!(!folder.path().join("treenail-w-left").exists() && folder.path().join("treenail-v-left").exists());
        let bounds = Bounds {
            memory: 1 << 30,
            processes: 20,
        };
        let cgroup = cgroups.make("jr_1-7", bounds).unwrap();
        assert_eq!(text("treenail-w-jr_1-7/memory.max"), "1073741824");
        assert_eq!(text("treenail-w-jr_1-7/memory.swap.max"), "0");
        assert_eq!(text("treenail-w-jr_1-7/memory.oom.group"), "1");
        assert_eq!(text("treenail-w-jr_1-7/pids.max"), "21");
        assert!(!cgroup.was_out_of_memory());
        let events = "low 0\noom 1\noom_kill 1\noom_group_kill 1\n";
        fs::write(folder.path().join("treenail-w-jr_1-7/memory.events"), events).unwrap();
        assert!(cgroup.was_out_of_memory());
        let entrances = cgroup.entrances().unwrap();
        assert!(
            entrances[0]
                .to_str()
                .unwrap()
                .ends_with("treenail-w-jr_1-7/cgroup.procs")
        );
    }
}
