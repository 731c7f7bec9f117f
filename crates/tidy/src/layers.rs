//! Which crate may know which.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::repository::{File, files, report};

/// The layer of each crate. A crate may depend on crates of lower layers only.
const LAYERS: &[(&str, u8)] = &[
    ("treenail-testkit", 6),
    ("treenail", 5),
    ("treenail-control-plane", 4),
    ("treenail-gateway", 4),
    ("treenail-properties-store", 4),
    ("treenail-run-scheduler", 4),
    ("treenail-worker", 4),
    ("treenail-rpc", 3),
    ("treenail-storage", 3),
    ("treenail-aws-json", 2),
    ("treenail-proto", 2),
    ("treenail-engine", 1),
    ("treenail-planted", 0),
    ("treenail-schedule", 0),
    ("treenail-sigv4", 0),
];

/// Lower layers that a crate must do without all the same.
const STRANGERS: &[(&str, &str, &str)] = &[
    ("treenail-aws-json", "treenail-engine", "the transcoder knows no domain"),
    (
        "treenail-aws-json",
        "treenail-schedule",
        "the transcoder knows no domain",
    ),
    (
        "treenail-proto",
        "treenail-engine",
        "run-scheduler/src/codec.rs alone crosses from messages to the engine",
    ),
    (
        "treenail-storage",
        "treenail-proto",
        "storage is mechanism and knows no message",
    ),
    (
        "treenail-storage",
        "treenail-engine",
        "storage is mechanism and knows no domain",
    ),
    (
        "treenail-rpc",
        "treenail-engine",
        "rpc is mechanism and knows no domain",
    ),
];

/// Outside crates that only some of ours may use.
const GATES: &[(&str, &[&str])] = &[
    ("axum", &["treenail-gateway", "treenail-rpc", "treenail"]),
    ("getrandom", &["treenail-rpc"]),
    // The worker fetches scripts with it, bounded as scripts are.
    (
        "hyper",
        &["treenail-gateway", "treenail-rpc", "treenail-worker", "treenail"],
    ),
    (
        "prost-reflect",
        &[
            "treenail-proto",
            "treenail-aws-json",
            "treenail-gateway",
            "treenail-testkit",
            "treenail",
        ],
    ),
    (
        "rusqlite",
        &[
            "treenail-storage",
            "treenail-control-plane",
            "treenail-properties-store",
            "treenail-run-scheduler",
        ],
    ),
    ("tracing-subscriber", &["treenail-rpc"]),
];

/// The crates without async, input/output, clock and randomness.
const PURE: &[&str] = &["treenail-schedule", "treenail-engine", "treenail-aws-json"];

/// What no pure crate may depend on, except in its tests.
const IMPURE: &[&str] = &[
    "axum",
    "futures",
    "getrandom",
    "http",
    "hyper",
    "hyper-util",
    "object_store",
    "reqwest",
    "rusqlite",
    "rustix",
    "tempfile",
    "tokio",
    "tokio-stream",
    "tokio-util",
    "tonic",
    "tower",
    "tracing",
    "uuid",
];

/// What no pure crate may say outside comments and tests, and why.
const IMPURE_WORDS: &[(&str, &str)] = &[
    ("async ", "a pure crate computes and never waits"),
    ("HashMap", "its order shows; take a BTreeMap"),
    ("HashSet", "its order shows; take a BTreeSet"),
    ("Instant::now", "time comes in with the input"),
    ("SystemTime", "time comes in with the input"),
    ("std::env", "configuration comes in as a value"),
    ("std::fs", "the shell does the input and output"),
    ("std::net", "the shell does the input and output"),
    ("std::process", "the shell does the input and output"),
    ("std::thread", "the shell decides what runs where"),
];

/// Where such a word is right all the same: the start of a path, the word, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "crates/aws-json/src/decode/",
    "HashMap",
    "prost-reflect keeps the maps of its messages so; services read them into ordered ones",
)];

struct Manifest {
    folder: String,
    name: String,
    toml: Table,
}

impl Manifest {
    fn of(file: &File) -> Manifest {
        let toml: Table = file
            .text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", file.path));
        let folder = file
            .path
            .trim_end_matches("/Cargo.toml")
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        let name = toml["package"]["name"].as_str().unwrap().to_owned();
        Manifest { folder, name, toml }
    }

    /// The names of what it depends on, of these kinds.
    fn dependencies(&self, kinds: &[&str]) -> BTreeSet<&str> {
        let tables = kinds.iter().filter_map(|kind| self.toml.get(*kind)?.as_table());
        tables.flat_map(|table| table.keys().map(String::as_str)).collect()
    }
}

const SHIPPED: &[&str] = &["dependencies", "build-dependencies"];
const ALL: &[&str] = &["dependencies", "build-dependencies", "dev-dependencies"];

fn manifests() -> Vec<Manifest> {
    let manifests: Vec<_> = files("crates", "Cargo.toml").iter().map(Manifest::of).collect();
    // Fuzz crates are workspaces of their own.
    manifests
        .into_iter()
        .filter(|manifest| manifest.folder != "fuzz" && manifest.name != "treenail-tidy")
        .collect()
}

#[test]
fn no_crate_knows_one_of_its_own_layer_or_above() {
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    let layer = |name: &str| {
        *layers
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no layer; give it one in LAYERS"))
    };
    let ours = |name: &&str| name.starts_with("treenail");
    let mut violations = Vec::new();
    for manifest in manifests() {
        let own = layer(&manifest.name);
        for dependency in manifest.dependencies(SHIPPED).into_iter().filter(ours) {
            if layer(dependency) >= own {
                violations.push(format!("{} (layer {own}) depends on {dependency}", manifest.name));
            }
        }
        // Tests may look sideways, as those of the transcoder look at the contract.
        for dependency in manifest.dependencies(&["dev-dependencies"]).into_iter().filter(ours) {
            if layer(dependency) > own {
                violations.push(format!(
                    "the tests of {} (layer {own}) depend on {dependency}",
                    manifest.name
                ));
            }
        }
        for (_, stranger, reason) in STRANGERS.iter().filter(|(name, ..)| *name == manifest.name) {
            if manifest.dependencies(SHIPPED).contains(stranger) {
                violations.push(format!("{} depends on {stranger}: {reason}", manifest.name));
            }
        }
    }
    report("crates depend on lower layers only", &violations);
}

#[test]
fn outside_crates_come_in_through_their_gates() {
    let mut violations = Vec::new();
    for manifest in manifests() {
        let dependencies = manifest.dependencies(SHIPPED);
        for (outside, gates) in GATES {
            if dependencies.contains(outside) && !gates.contains(&manifest.name.as_str()) {
                violations.push(format!(
                    "{} depends on {outside}, which only {gates:?} may",
                    manifest.name
                ));
            }
        }
        for impure in IMPURE.iter().filter(|_| PURE.contains(&manifest.name.as_str())) {
            if dependencies.contains(impure) {
                violations.push(format!("{} is pure and depends on {impure}", manifest.name));
            }
        }
    }
    report("outside crates are used where they may be", &violations);
}

#[test]
fn pure_crates_say_nothing_impure() {
    let mut violations = Vec::new();
    for name in PURE {
        for file in files(&format!("crates/{}/src", name.trim_start_matches("treenail-")), ".rs") {
            let shipped = file.text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in (1..).zip(shipped.lines()) {
                let code = line.split("//").next().unwrap_or_default();
                for (word, reason) in IMPURE_WORDS.iter().filter(|(word, _)| code.contains(word)) {
                    if EXCEPTIONS
                        .iter()
                        .any(|(place, right, _)| file.path.starts_with(place) && right == word)
                    {
                        continue;
                    }
                    violations.push(format!("{}:{number}: {word}: {reason}", file.path));
                }
            }
        }
    }
    report("pure crates are pure", &violations);
}

#[test]
fn the_database_is_seen_by_stores_only() {
    let mut violations = Vec::new();
    for service in ["control-plane", "properties-store", "run-scheduler"] {
        for file in files(&format!("crates/{service}/src"), ".rs") {
            let is_store = file.path.contains("/src/store/") || file.path.ends_with("/src/store.rs");
            if !is_store && file.text.contains("rusqlite") {
                violations.push(format!("{} speaks of rusqlite outside store/", file.path));
            }
        }
    }
    report("SQLite stays behind the store traits", &violations);
}

#[test]
fn manifests_are_alike() {
    let mut violations = Vec::new();
    for manifest in manifests() {
        let Manifest { folder, name, toml } = &manifest;
        let is_named_so = *name == format!("treenail-{folder}") || (folder == "treenail" && name == "treenail");
        if !is_named_so {
            violations.push(format!("crates/{folder} holds {name}; name it treenail-{folder}"));
        }
        let lints = toml
            .get("lints")
            .and_then(|lints| lints.get("workspace"))
            .and_then(Value::as_bool);
        if lints != Some(true) {
            violations.push(format!("{name} has not [lints] workspace = true"));
        }
        for kind in ALL {
            for (dependency, how) in toml.get(*kind).and_then(Value::as_table).into_iter().flatten() {
                if how.get("workspace").and_then(Value::as_bool) != Some(true) {
                    violations.push(format!(
                        "{name}: {dependency} has not workspace = true, so versions may part"
                    ));
                }
            }
        }
    }
    report("manifests are alike", &violations);
}
