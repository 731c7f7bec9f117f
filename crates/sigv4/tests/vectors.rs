//! AWS's published vectors, as the crate of AWS's own signer ships them, and what must never verify.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets what it does not expect has failed"
)]

use std::{fs, path::PathBuf, process::Command};

use proptest::prelude::*;
use treenail_sigv4::{Claim, Error, Request, SecretKey, Signer, hex_sha256};

/// 2015-08-30T12:36:00Z, when AWS's requests were signed.
const SIGNED_AT: i64 = 1_440_938_160;

/// Where the crate with the vectors lies.
fn suite() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap();
    let line = ["metadata", "--format-version", "1", "--offline", "--locked"];
    let output = Command::new(cargo).args(line).output().unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "aws-sigv4").unwrap();
    let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().join("aws-signing-test-suite/v4")
}

struct Parsed {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Parsed {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or_else(|| (text.trim_end(), ""));
        let mut lines = head.lines();
        let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
        let target = rest.strip_suffix(" HTTP/1.1").unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            match line.split_once(':') {
                // A line that begins with space goes on with the one before.
                _ if line.starts_with(' ') => headers.last_mut().unwrap().1.push_str(line),
                Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
                None => panic!("{line}"),
            }
        }
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.to_owned(),
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        }
    }
}

#[test]
fn awss_own_requests_verify() {
    let mut checked = 0;
    let mut skipped = Vec::new();
    for entry in fs::read_dir(suite()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("context.json").is_file() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let context: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("context.json")).unwrap()).unwrap();
        let parsed = Parsed::of(&fs::read_to_string(folder.join("header-signed-request.txt")).unwrap());
        // We are no service that takes paths as they come but for S3, nor one that leaves the session token unsigned; and
        // these vectors encode what is encoded only once.
        let is_ours = context["normalize"] == true
            && context["omit_session_token"] != true
            && (!parsed.path.contains('%') || name.starts_with("double-"));
        if !is_ours {
            skipped.push(name);
            continue;
        }
        let request = parsed.request();
        let secret = SecretKey::new(context["credentials"]["secret_access_key"].as_str().unwrap().to_owned());
        let claim = Claim::of(&request).unwrap_or_else(|error| panic!("{name}: {error}"));
        let now = if name.starts_with("double-") {
            1_620_747_645
        } else {
            SIGNED_AT
        };
        let payload = hex_sha256(parsed.body.as_bytes());
        assert_eq!(claim.verify(&secret, &request, &payload, now), Ok(()), "{name}");
        let other = SecretKey::new("another".to_owned());
        assert_eq!(
            claim.verify(&other, &request, &payload, now),
            Err(Error::Mismatch),
            "{name}"
        );
        checked += 1;
    }
    assert!(checked >= 25, "{checked} checked, without {skipped:?}");
}

fn signed(secret: &SecretKey, body: &[u8]) -> Vec<(String, String)> {
    let headers = vec![("host", "127.0.0.1:4570"), ("x-amz-target", "AWSGlue.GetWorkflow")];
    let request = Request {
        method: "POST",
        path: "/",
        query: "",
        headers,
    };
    let signer = Signer {
        access_key: "AKIDEXAMPLE",
        secret,
        region: "us-east-1",
        service: "glue",
    };
    let signed = signer.sign(&request, body, SIGNED_AT);
    vec![
        ("host".into(), "127.0.0.1:4570".into()),
        ("x-amz-target".into(), "AWSGlue.GetWorkflow".into()),
        ("x-amz-date".into(), signed.date),
        ("x-amz-content-sha256".into(), signed.content_sha256),
        ("authorization".into(), signed.authorization),
    ]
}

fn verdict(secret: &SecretKey, method: &str, headers: &[(String, String)], body: &[u8], now: i64) -> Result<(), Error> {
    let request = Request {
        method,
        path: "/",
        query: "",
        headers: headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
    };
    Claim::of(&request)?.verify(secret, &request, &hex_sha256(body), now)
}

#[test]
fn what_lacks_something_is_refused_in_words() {
    let secret = SecretKey::new("secret".to_owned());
    let headers = signed(&secret, b"{}");
    let verify = |headers: &[(String, String)], now| verdict(&secret, "POST", headers, b"{}", now);
    assert_eq!(verify(&headers, SIGNED_AT), Ok(()));
    assert_eq!(verify(&headers[..4], SIGNED_AT), Err(Error::Missing));
    for seconds in [-899, 899] {
        assert_eq!(verify(&headers, SIGNED_AT + seconds), Ok(()));
    }
    let late = verify(&headers, SIGNED_AT + 901).unwrap_err().to_string();
    assert_eq!(
        late,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"
    );
    assert!(matches!(
        verify(&headers, SIGNED_AT - 901),
        Err(Error::NotYetCurrent { .. })
    ));
    let mut added = headers.clone();
    added.push(("X-Amz-Security-Token".into(), "slipped in".into()));
    assert!(
        verify(&added, SIGNED_AT)
            .unwrap_err()
            .to_string()
            .contains("X-Amz-Security-Token")
    );
    for (from, to) in [
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        ("Credential=", "Credentials="),
        ("/glue/", "/"),
        ("aws4_request", "aws5_request"),
        ("host;", ""),
        ("SignedHeaders=", "SignedHeaders=z;"),
        ("20150830/", "20150831/"),
        ("Signature=", "Signature=1, Signature="),
    ] {
        let mut changed = headers.clone();
        changed[4].1 = changed[4].1.replace(from, to);
        assert_ne!(changed[4].1, headers[4].1);
        assert!(
            matches!(verify(&changed, SIGNED_AT), Err(Error::Incomplete(_))),
            "{from}"
        );
    }
}

proptest! {
    #[test]
    fn no_changed_byte_verifies(which in 0_usize..5, at in any::<prop::sample::Index>(), bit in 0_u8..7, body in ".{0,40}") {
        let secret = SecretKey::new("secret".to_owned());
        let headers = signed(&secret, body.as_bytes());
        prop_assert_eq!(verdict(&secret, "POST", &headers, body.as_bytes(), SIGNED_AT), Ok(()));
        prop_assert!(verdict(&secret, "PUT", &headers, body.as_bytes(), SIGNED_AT).is_err());
        let longer = format!("{body} ");
        prop_assert!(verdict(&secret, "POST", &headers, longer.as_bytes(), SIGNED_AT).is_err());
        let mut changed = headers;
        let mut bytes = changed[which].1.clone().into_bytes();
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        if let Ok(value) = String::from_utf8(bytes) {
            // Space is not told from more space.
            let is_same = value.split_ascii_whitespace().eq(changed[which].1.split_ascii_whitespace());
            // Another access key has another secret.
            let is_anothers = which == 4 && !value.contains("Credential=AKIDEXAMPLE/");
            changed[which].1 = value;
            prop_assert!(is_same || is_anothers || verdict(&secret, "POST", &changed, body.as_bytes(), SIGNED_AT).is_err());
        }
    }

    #[test]
    fn no_text_makes_it_panic(header in ".{0,200}", date in ".{0,20}", query in ".{0,60}", path in ".{0,60}") {
        let request = Request {
            method: "GET",
            path: &path,
            query: &query,
            headers: vec![("authorization", &header), ("x-amz-date", &date), ("host", "h")],
        };
        prop_assert!(Claim::of(&request).is_err());
        let authorization = format!("AWS4-HMAC-SHA256 Credential=a/{date}/r/s/aws4_request,SignedHeaders=host;x-amz-date,Signature={header}");
        let request = Request { headers: vec![("authorization", &authorization), ("x-amz-date", &date), ("host", &header)], ..request };
        if let Ok(claim) = Claim::of(&request) {
            prop_assert!(claim.verify(&SecretKey::new(String::new()), &request, "", 0).is_err());
        }
    }
}
