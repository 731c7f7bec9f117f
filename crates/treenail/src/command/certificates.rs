//! `treenail certificates`: an authority for one installation, and a certificate for each of its services.
//!
//! For those who have no authority of their own: with it, services prove themselves to each other from the first start.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use treenail_rpc::Clock;

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

/// Makes certificates for services below a folder, and the authority before them when there is none.
pub(crate) fn run(folder: &Path, names: &[String], hosts: &[String], days: u16) -> anyhow::Result<()> {
    let now = OffsetDateTime::from_unix_timestamp(Clock::system().now().as_millis() / 1_000)?;
    make_folder(folder)?;
    let (issuer, authority) = authority(folder, now)?;
    for name in names {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        anyhow::ensure!(
            !name.starts_with('.') && name.bytes().all(is_name) && !name.is_empty(),
            "{name:?} is no name of a host"
        );
        let mut known_as = vec![name.clone()];
        known_as.extend(OWN_HOSTS.map(str::to_owned));
        known_as.extend(hosts.iter().cloned());
        let mut params = CertificateParams::new(known_as).context("cannot make a certificate for these hosts")?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = now - SKEW;
        params.not_after = now + Duration::days(days.into());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // Every service serves some and calls others.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        let own = folder.join(name);
        make_folder(&own)?;
        write(&own.join(CA_CERTIFICATE), &authority)?;
        write(&own.join("tls.key"), &key.serialize_pem())?;
        write(&own.join("tls.crt"), &certificate.pem())?;
        terminal::say(&format!("{}: {days} days", own.join("tls.crt").display()));
    }
    Ok(())
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
