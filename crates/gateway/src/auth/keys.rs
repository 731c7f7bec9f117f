//! The file of keys: who holds which, and what each allows.
//!
//! The secrets must be there as they are, because signatures are made with them; so the file is its owner's alone.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use treenail_rpc::{Entropy, Scope};
use treenail_sigv4::SecretKey;

use super::{Policy, PolicyError, Principal};

/// How the access keys of users begin.
const PREFIX: &str = "TNKEY";
/// How many bytes a secret is drawn from.
const SECRET_BYTES: usize = 30;
/// How many bytes an access key is drawn from.
const ID_BYTES: usize = 10;
const OWNER_ONLY: u32 = 0o600;

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("cannot use the file of keys {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner may read the file.
    #[error("the file of keys {path} holds secrets and may be read by everybody: chmod 640 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("the file of keys {path} is not understood: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why; never with a secret.
        why: String,
    },
    /// A policy is none.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// There is no such key.
    #[error("there is no key {0}")]
    NoSuchKey(String),
}

/// The file as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "key")]
    keys: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    secret: String,
    account: String,
    user: String,
    policy: String,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A key that was made; its secret is told this once.
#[derive(Debug)]
pub struct NewKey {
    /// The access key.
    pub access_key: String,
    /// Its secret.
    pub secret: SecretKey,
}

/// A key as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The access key.
    pub access_key: String,
    /// The account.
    pub account: String,
    /// Who holds it.
    pub user: String,
    /// What it allows: the name of a policy, or the text of one.
    pub policy: String,
}

/// The keys of a file, read again whenever it changes.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    /// When the file was last changed, and its length: what tells that it was changed again.
    version: (SystemTime, u64),
    keys: Arc<BTreeMap<String, (Principal, SecretKey)>>,
}

impl KeyFile {
    /// Reads the keys.
    ///
    /// # Errors
    /// When the file cannot be read, others may read it, or it holds something else.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            loaded: Mutex::new(load(path)?),
        })
    }

    /// Who holds an access key, and its secret.
    pub(super) fn find(&self, access_key: &str) -> Option<(Principal, SecretKey)> {
        self.current().get(access_key).cloned()
    }

    fn current(&self) -> Arc<BTreeMap<String, (Principal, SecretKey)>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if version(&self.path).ok() != Some(loaded.version) {
            match load(&self.path) {
                Ok(again) => *loaded = again,
                // A file that is half written is read again with the next request; until then the keys are as they were.
                Err(error) => tracing::error!(%error, "the keys are not read again"),
            }
        }
        Arc::clone(&loaded.keys)
    }

    /// Makes a key and adds it to a file, which is made if there is none.
    ///
    /// # Errors
    /// When the file cannot be used, or the policy is none.
    pub fn create(path: &Path, account: &Scope, user: &str, policy: &str, entropy: &Entropy) -> Result<NewKey, Error> {
        to_policy(policy)?;
        let mut document = if path.exists() {
            read(path)?
        } else {
            Document::default()
        };
        let access_key = format!("{PREFIX}{}", base32(&entropy.bytes::<ID_BYTES>()));
        let secret = base32(&entropy.bytes::<SECRET_BYTES>());
        document.keys.push(Row {
            id: access_key.clone(),
            secret: secret.clone(),
            account: account.account.clone(),
            user: user.to_owned(),
            policy: policy.to_owned(),
        });
        write(path, &document)?;
        Ok(NewKey {
            access_key,
            secret: SecretKey::new(secret),
        })
    }

    /// The keys of a file, without their secrets.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn list(path: &Path) -> Result<Vec<Listed>, Error> {
        let rows = read(path)?.keys.into_iter();
        let listed = rows.map(|row| Listed {
            access_key: row.id,
            account: row.account,
            user: row.user,
            policy: row.policy,
        });
        Ok(listed.collect())
    }

    /// Removes a key from a file: the next request that it signs is refused.
    ///
    /// # Errors
    /// When the file cannot be used, or has no such key.
    pub fn revoke(path: &Path, access_key: &str) -> Result<(), Error> {
        let mut document = read(path)?;
        let count = document.keys.len();
        document.keys.retain(|row| row.id != access_key);
        if document.keys.len() == count {
            return Err(Error::NoSuchKey(access_key.to_owned()));
        }
        write(path, &document)
    }
}

fn load(path: &Path) -> Result<Loaded, Error> {
    let version = version(path).map_err(|source| failed(path, source))?;
    let mut keys = BTreeMap::new();
    for row in read(path)?.keys {
        let malformed = |why: String| Error::Malformed {
            path: path.to_owned(),
            why: format!("key {}: {why}", row.id),
        };
        let scope =
            Scope::parse(&row.account, &Scope::default().region).map_err(|error| malformed(error.to_string()))?;
        let policy = to_policy(&row.policy).map_err(|error| malformed(error.to_string()))?;
        let principal = Principal {
            access_key: row.id.clone(),
            arn: format!("arn:aws:iam::{}:user/{}", scope.account, row.user),
            account: scope.account,
            policy,
        };
        keys.insert(row.id, (principal, SecretKey::new(row.secret)));
    }
    Ok(Loaded {
        version,
        keys: Arc::new(keys),
    })
}

/// A built-in policy by its name, or any other by its text.
fn to_policy(text: &str) -> Result<Arc<Policy>, PolicyError> {
    match Policy::built_in(text) {
        Some(policy) => Ok(policy),
        None => Ok(Arc::new(Policy::parse(text)?)),
    }
}

fn version(path: &Path) -> io::Result<(SystemTime, u64)> {
    let file = fs::metadata(path)?;
    Ok((file.modified()?, file.len()))
}

fn read(path: &Path) -> Result<Document, Error> {
    let mode = fs::metadata(path)
        .map_err(|source| failed(path, source))?
        .permissions()
        .mode();
    if mode & 0o027 != 0 {
        return Err(Error::Exposed { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(|source| failed(path, source))?;
    // What the reader says of an error shows the line, and in the line is a secret.
    toml::from_str(&text).map_err(|error| Error::Malformed {
        path: path.to_owned(),
        why: error.message().to_owned(),
    })
}

/// Replaces the file, so that whoever reads it finds the old one or the new one.
fn write(path: &Path, document: &Document) -> Result<(), Error> {
    let text = toml::to_string(document).map_err(|error| failed(path, io::Error::other(error)))?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let replace = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(OWNER_ONLY)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    };
    replace().map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}

/// Bytes as letters and digits: each five bits one of 32 (`RFC 4648: base 32`).
fn base32(bytes: &[u8]) -> String {
    const SYMBOLS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    let symbols = bits
        .chunks_exact(5)
        .map(|five| five.iter().fold(0, |value, bit| value << 1 | usize::from(*bit)));
    symbols.map(|value| char::from(SYMBOLS[value])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_found_and_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let scope = Scope::parse("123456789012", "us-east-1").unwrap();
        let made = KeyFile::create(&path, &scope, "ann", "viewer", &Entropy::os()).unwrap();
        assert_eq!((made.access_key.len(), made.secret.expose().len()), (21, 48));
        let file = KeyFile::open(&path).unwrap();
        let (principal, secret) = file.find(&made.access_key).unwrap();
        assert_eq!(principal.arn, "arn:aws:iam::123456789012:user/ann");
        assert!(secret.is(made.secret.expose()));
        // A file that changes is read again, one that breaks leaves the keys as they were.
        let other = KeyFile::create(&path, &scope, "bob", r#"{"Statement": []}"#, &Entropy::os()).unwrap();
        assert!(file.find(&other.access_key).is_some());
        KeyFile::revoke(&path, &made.access_key).unwrap();
        assert!(file.find(&made.access_key).is_none());
        fs::write(&path, "nonsense").unwrap();
        assert!(file.find(&other.access_key).is_some());
        assert!(matches!(KeyFile::revoke(&path, "x"), Err(Error::Malformed { .. })));
        assert!(matches!(
            KeyFile::create(&path, &scope, "bob", "emperor", &Entropy::os()),
            Err(Error::Policy(_))
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(KeyFile::open(&path), Err(Error::Exposed { .. })));
    }

    #[test]
    fn base_32_is_that_of_rfc_4648() {
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
    }
}
