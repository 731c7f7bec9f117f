//! `treenail trust`: an authority for one installation, and what each of its services proves itself with.
//!
//! For those who have no authority of their own: with it, services prove themselves to each other from the first start. What
//! a service is told lies in a folder of its own, so that no service has what another one proves itself with.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use treenail_rpc::{Clock, Entropy};

use crate::terminal;

/// For how long the authority counts.
const AUTHORITY_DAYS: i64 = 3_650;
/// A clock that is a little behind takes a new certificate all the same.
const SKEW: Duration = Duration::hours(1);
/// Where every service can be reached by those on the same machine.
const OWN_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The files of the authority.
const CA_CERTIFICATE: &str = "ca.crt";
const CA_KEY: &str = "ca.key";

/// How many random bytes a secret has.
const SECRET_BYTES: usize = 32;

/// The services that call each other: each name is also a host that its certificate is for.
const SERVICES: [&str; 4] = ["gateway", "control-plane", "run-scheduler", "properties-store"];
/// It calls with its token. A certificate would open all services, and the jobs that it runs could read the key.
const WORKER: &str = "worker";
/// The secrets that services share, and who.
const SHARED: [(&str, [&str; 2]); 2] = [
    ("worker-token", ["run-scheduler", WORKER]),
    ("job-key", ["gateway", WORKER]),
];

/// Makes what services are told below a folder, and the authority before it when there is none.
pub(crate) fn run(folder: &Path, hosts: &[String], days: u16) -> anyhow::Result<()> {
    let now = OffsetDateTime::from_unix_timestamp(Clock::system().now().as_millis() / 1_000)?;
    make_folder(folder)?;
    let (issuer, authority) = authority(folder, now)?;
    for service in SERVICES {
        let mut params = params(service, hosts)?;
        params.not_before = now - SKEW;
        params.not_after = now + Duration::days(days.into());
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        let own = told(folder, service, &authority)?;
        write(&own.join("tls.key"), &key.serialize_pem())?;
        write(&own.join("tls.crt"), &certificate.pem())?;
        terminal::say(&format!("{}: {days} days", own.join("tls.crt").display()));
    }
    told(folder, WORKER, &authority)?;
    for (name, services) in SHARED {
        let secret = secret(&folder.join(name))?;
        for service in services {
            write(&folder.join(service).join(name), &secret)?;
        }
    }
    Ok(())
}

/// The folder of a service, which is told whom to believe.
fn told(folder: &Path, service: &str, authority: &str) -> anyhow::Result<PathBuf> {
    let own = folder.join(service);
    make_folder(&own)?;
    write(&own.join(CA_CERTIFICATE), authority)?;
    Ok(own)
}

/// What a service's certificate says.
fn params(service: &str, hosts: &[String]) -> anyhow::Result<CertificateParams> {
    let mut known_as = vec![service.to_owned()];
    known_as.extend(OWN_HOSTS.map(str::to_owned));
    known_as.extend(hosts.iter().cloned());
    let mut params = CertificateParams::new(known_as).context("cannot make a certificate for these hosts")?;
    params.distinguished_name.push(DnType::CommonName, service);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Every service serves some and calls others.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// The secret of a file, made up when there is none.
fn secret(path: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(path) {
        Ok(secret) => Ok(secret),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = URL_SAFE_NO_PAD.encode(Entropy::os().bytes::<SECRET_BYTES>());
            write(path, &secret)?;
            Ok(secret)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The authority of a folder, and its certificate in PEM.
fn authority(folder: &Path, now: OffsetDateTime) -> anyhow::Result<(Issuer<'static, KeyPair>, String)> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(DnType::CommonName, "Treenail");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - SKEW;
    params.not_after = now + Duration::days(AUTHORITY_DAYS);
    let (certificate_path, key_path) = (folder.join(CA_CERTIFICATE), folder.join(CA_KEY));
    if key_path.exists() {
        let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        let key = KeyPair::from_pem(&read(&key_path)?).with_context(|| format!("cannot use {}", key_path.display()))?;
        return Ok((Issuer::new(params, key), read(&certificate_path)?));
    }
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.pem();
    // The key last: with it, the authority is there.
    write(&certificate_path, &certificate)?;
    write(&key_path, &key.serialize_pem())?;
    terminal::say(&format!(
        "{}: a new authority, {AUTHORITY_DAYS} days",
        certificate_path.display()
    ));
    Ok((Issuer::new(params, key), certificate))
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o750).create(folder);
    made.with_context(|| format!("cannot make {}", folder.display()))
}

/// Writes a file that only its owner and group may read, whole or not at all.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let put = || -> io::Result<()> {
        let next = path.with_extension("next");
        // What an earlier call left behind may have another mode.
        match fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(0o640).open(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&next, path)
    };
    put().with_context(|| format!("cannot write {}", path.display()))
}
