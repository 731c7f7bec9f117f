//! Who may speak to a server on loopback: programs of this machine, and no web page that tricks a browser into it.
//!
//! A page of another site can make a browser send requests to loopback (cross-site request forgery), or give its own
//! name our address (DNS rebinding). The first shows in `Origin`, the second in `Host`.

use http::{HeaderMap, Uri, header};

/// The hosts that a server is known by, without ports.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Which hosts and origins are let in.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    /// Whether any host is let in: the server listens beyond loopback, where names are the network's business.
    pub(crate) is_open: bool,
    /// Names beside those of loopback.
    pub(crate) hosts: Vec<String>,
}

impl Guard {
    /// Whether a request is let in.
    pub(crate) fn admits(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        if self.is_open {
            return true;
        }
        let Some(host) = host_of(uri, headers) else {
            return false;
        };
        if !self.knows(without_port(&host)) {
            return false;
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => true,
            (Some(origin), None) => origin.to_str().is_ok_and(|origin| is_own(origin, &host)),
            (Some(_), Some(_)) => false,
        }
    }

    fn knows(&self, host: &str) -> bool {
        LOOPBACK.iter().any(|known| known.eq_ignore_ascii_case(host))
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().map(str::to_owned),
        // HTTP/2 names the host in the request's target.
        (None, _) => uri.authority().map(ToString::to_string),
        (Some(_), Some(_)) => None,
    }
}

fn is_own(origin: &str, host: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        origin
            .strip_prefix(scheme)
            .is_some_and(|own| own.eq_ignore_ascii_case(host))
    })
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_this_machine_and_our_own_pages_are_let_in() {
        let rows: [(&[(&'static str, &'static str)], bool); 12] = [
            (&[("host", "127.0.0.1:4570")], true),
            (&[("host", "localhost")], true),
            (&[("host", "LOCALHOST:1")], true),
            (&[("host", "[::1]:4570")], true),
            (&[("host", "treenail.local")], true),
            (&[("host", "evil.example:4570")], false),
            (&[("host", "127.0.0.1.evil.example")], false),
            (&[("host", "localhost"), ("host", "localhost")], false),
            (&[], false),
            (&[("host", "localhost:4570"), ("origin", "http://localhost:4570")], true),
            (
                &[("host", "localhost:4570"), ("origin", "http://localhost:3000")],
                false,
            ),
            (&[("host", "localhost:4570"), ("origin", "null")], false),
        ];
        let guard = Guard {
            is_open: false,
            hosts: vec!["treenail.local".to_owned()],
        };
        for (headers, admitted) in rows {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(guard.admits(&Uri::from_static("/"), &map), admitted, "{headers:?}");
        }
    }
}
