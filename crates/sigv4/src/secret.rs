//! Secrets, and the keys that follow from them.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A secret access key. It is gone from memory when it is dropped, and nothing prints it.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<String>);

impl SecretKey {
    /// Takes a secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret itself, for whoever has to hand it on.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text is this secret; takes as long for any text of its length.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// The key that signs a string of a day, a region and a service (`Signature Version 4: derive a signing key`).
    pub(crate) fn signing_key(&self, date: &str, region: &str, service: &str) -> Zeroizing<[u8; 32]> {
        let first = Zeroizing::new(format!("AWS4{}", self.0.as_str()));
        let date = hmac(first.as_bytes(), date.as_bytes());
        let region = hmac(&date[..], region.as_bytes());
        let service = hmac(&region[..], service.as_bytes());
        hmac(&service[..], b"aws4_request")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(***)")
    }
}

pub(crate) fn hmac(key: &[u8], message: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    Zeroizing::new(mac.finalize().into_bytes().into())
}
