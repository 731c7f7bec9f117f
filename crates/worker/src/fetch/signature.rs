//! Signature Version 4 of a GET request to S3.

use http::Uri;
use sha2::{Digest as _, Sha256};
use treenail_rpc::Clock;

const BLOCK_BYTES: usize = 64;
const SIGNED_HEADERS: &str = "host;x-amz-content-sha256;x-amz-date";

/// Who signs, where and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signing<'a> {
    pub(super) access_key: &'a str,
    pub(super) secret_key: &'a str,
    pub(super) region: &'a str,
    /// In basic form: `20261120T101112Z`.
    pub(super) time: &'a str,
}

impl Signing<'_> {
    /// The headers that sign a GET of an address without a query.
    pub(super) fn headers(&self, uri: &Uri) -> [(&'static str, String); 3] {
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let date = self.time.get(..8).unwrap_or_default();
        let nothing = hex(&Sha256::digest(b""));
        let canonical = format!(
            "GET\n{path}\n\nhost:{host}\nx-amz-content-sha256:{nothing}\nx-amz-date:{time}\n\n{SIGNED_HEADERS}\n{nothing}",
            path = uri.path(),
            time = self.time,
        );
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let digest = hex(&Sha256::digest(canonical.as_bytes()));
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{digest}", self.time);
        let secret = format!("AWS4{}", self.secret_key);
        let key = [date, self.region, "s3", "aws4_request"]
            .iter()
            .fold(secret.into_bytes(), |key, part| hmac(&key, part.as_bytes()).to_vec());
        let signature = hex(&hmac(&key, to_sign.as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}",
            self.access_key
        );
        [
            ("authorization", authorization),
            ("x-amz-content-sha256", nothing),
            ("x-amz-date", self.time.to_owned()),
        ]
    }
}

/// The clock's time in the form that signatures take.
pub(super) fn basic_time(clock: &Clock) -> String {
    let time = clock.now().to_string();
    let seconds = time.split('.').next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|symbol| !matches!(symbol, '-' | ':')).collect();
    digits + "Z"
}

/// The bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::{hex, hmac};

    #[test]
    fn the_hmac_is_that_of_rfc_4231() {
        // Cases 2 and 6: a short key, and one longer than a block.
        let rows: [(&[u8], &[u8], &str); 2] = [
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, message, expected) in rows {
            assert_eq!(hex(&hmac(key, message)), expected);
        }
    }
}
