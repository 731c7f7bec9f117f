//! Who may call what on a port between services: services by their certificates, workers by a token.

use std::{fmt, sync::Arc};

use http::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use tonic::Status;
use zeroize::Zeroizing;

/// Whoever asks whether a server lives needs no right to do so.
const HEALTH: &str = "grpc.health.v1.Health";
/// How what proves a caller is said in the `authorization` header.
pub const BEARER: &str = "Bearer ";
/// The shortest token, in characters: what 128 random bits take in base64.
pub const TOKEN_LENGTH_MIN: usize = 22;

/// Who may call what on a port.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// The services that the holders of a token may call, whatever their certificate.
    pub by_token: &'static [&'static str],
    /// The tokens; without any, nobody is asked for one.
    pub tokens: Option<Tokens>,
    /// Whether callers of everything else must have shown a certificate.
    pub by_certificate: bool,
}

/// Tokens that are let in, kept as digests.
#[derive(Clone)]
pub struct Tokens(Arc<[[u8; 32]]>);

/// A token that a client says.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

/// Why a text holds no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token is a line of {TOKEN_LENGTH_MIN} or more visible ASCII characters")]
pub struct NotAToken;

impl Tokens {
    /// The tokens of a text, one a line, so that a new one can be let in before the last one is gone.
    ///
    /// # Errors
    /// When there is none, or a line is none.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        let digests: Vec<[u8; 32]> = lines(text)
            .map(|line| Token::parse(line).map(|token| digest(&token.0)))
            .collect::<Result<_, _>>()?;
        if digests.is_empty() {
            return Err(NotAToken);
        }
        Ok(Self(digests.into()))
    }

    fn admit(&self, said: &str) -> bool {
        let said = digest(said);
        // All are looked at, so that the time tells nothing.
        let is_one = self
            .0
            .iter()
            .fold(Choice::from(0), |found, one| found | one.ct_eq(&said));
        is_one.into()
    }
}

impl Token {
    /// The first token of a text.
    ///
    /// # Errors
    /// When its first line is none.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        let line = lines(text).next().ok_or(NotAToken)?;
        let is_token = line.len() >= TOKEN_LENGTH_MIN && line.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token {
            Ok(Self(Zeroizing::new(line.to_owned())))
        } else {
            Err(NotAToken)
        }
    }

    /// The value of the `authorization` header that says it.
    pub(crate) fn header(&self) -> http::HeaderValue {
        let text = Zeroizing::new(format!("{BEARER}{}", *self.0));
        let mut value = http::HeaderValue::from_str(&text).expect("a token is visible ASCII");
        value.set_sensitive(true);
        value
    }
}

impl Guard {
    /// Whether a call may be made.
    ///
    /// # Errors
    /// [`tonic::Code::Unauthenticated`] when not, in words that tell what is missing.
    pub(crate) fn admit(&self, path: &str, headers: &HeaderMap, is_proven: bool) -> Result<(), Status> {
        let service = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        if service == HEALTH {
            return Ok(());
        }
        match &self.tokens {
            Some(tokens) if self.by_token.contains(&service) => {
                if said(headers).is_some_and(|token| tokens.admit(token)) {
                    return Ok(());
                }
                Err(Status::unauthenticated("this takes the token of workers"))
            }
            _ if self.by_certificate && !is_proven => {
                Err(Status::unauthenticated("this takes a certificate of this installation"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a request says one of the tokens.
pub(crate) fn says(headers: &HeaderMap, tokens: &Tokens) -> bool {
    said(headers).is_some_and(|token| tokens.admit(token))
}

fn said(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix(BEARER)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Guard, NotAToken, Token, Tokens};

    const ONE: &str = "0123456789012345678901";
    const OTHER: &str = "abcdefghijklmnopqrstuvwxyz";

    #[test]
    fn workers_come_with_a_token_and_services_with_a_certificate() {
        let guard = Guard {
            by_token: &["treenail.worker.v1.WorkerService"],
            tokens: Some(Tokens::parse(&format!("{ONE}\n{OTHER}\n")).unwrap()),
            by_certificate: true,
        };
        let (work, plans) = (
            "/treenail.worker.v1.WorkerService/Work",
            "/treenail.internal.v1.PlanService/Put",
        );
        let health = "/grpc.health.v1.Health/Check";
        let none = HeaderMap::new();
        let with = |token: &str| {
            let token = Token::parse(token).unwrap();
            HeaderMap::from_iter([(http::header::AUTHORIZATION, token.header())])
        };
        for (path, headers, is_proven, is_admitted) in [
            (work, &none, false, false),
            (work, &none, true, false),
            (work, &with(ONE), false, true),
            (work, &with(OTHER), false, true),
            (
                work,
                &with("a token that is not one of them".replace(' ', "-").as_str()),
                true,
                false,
            ),
            (plans, &with(ONE), false, false),
            (plans, &none, false, false),
            (plans, &none, true, true),
            (health, &none, false, true),
            // However a path is bent: what is not health or workers by its first name takes a certificate.
            ("", &none, false, false),
            ("*", &none, false, false),
            ("//treenail.internal.v1.PlanService/Put", &none, false, false),
            ("/treenail%2Einternal.v1.PlanService/Put", &none, false, false),
            ("/./grpc.health.v1.Health/Check", &none, false, false),
            ("/GRPC.HEALTH.V1.HEALTH/Check", &none, false, false),
            ("/grpc.health.v1.Health;/Check", &none, false, false),
            ("//treenail.worker.v1.WorkerService/Work", &none, true, false),
            ("/treenail%2Eworker.v1.WorkerService/Work", &with(ONE), false, false),
        ] {
            assert_eq!(
                guard.admit(path, headers, is_proven).is_ok(),
                is_admitted,
                "{path} {is_proven}"
            );
        }
        assert!(Guard::default().admit(plans, &none, false).is_ok());
    }

    #[test]
    fn a_token_is_long_and_never_told() {
        for text in [
            "",
            "\n\n",
            "short",
            "0123456789 0123456789 0123",
            "0123456789012345678901ü",
        ] {
            assert_eq!(Tokens::parse(text).unwrap_err(), NotAToken, "{text:?}");
            assert_eq!(Token::parse(text).unwrap_err(), NotAToken, "{text:?}");
        }
        let told = format!(
            "{:?} {:?} {:?}",
            Token::parse(ONE),
            Tokens::parse(ONE),
            Token::parse(ONE).unwrap().header()
        );
        assert!(!told.contains(ONE), "{told}");
    }
}
