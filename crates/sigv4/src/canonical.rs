//! The canonical form of a request: the one text that both sides make of it, however it was written
//! (`Signature Version 4: create a canonical request`).

use std::fmt::Write as _;

/// A request as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'r> {
    /// The method.
    pub method: &'r str,
    /// The path as it was sent, encoded.
    pub path: &'r str,
    /// The query as it was sent, without its question mark.
    pub query: &'r str,
    /// The headers: names in any case, repeated ones in their order.
    pub headers: Vec<(&'r str, &'r str)>,
}

impl<'r> Request<'r> {
    /// The values of a header, in their order.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &'r str> {
        let named = self
            .headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value)
    }

    /// The value of a header that is there once.
    pub(crate) fn value(&self, name: &str) -> Option<&'r str> {
        let mut values = self.values(name);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// The canonical request.
    pub(crate) fn canonical(&self, signed_headers: &[&str], payload: &str, paths: Paths) -> String {
        let mut text = format!(
            "{}\n{}\n{}\n",
            self.method,
            paths.canonical(self.path),
            query(self.query)
        );
        for name in signed_headers {
            text.push_str(name);
            text.push(':');
            for (number, value) in self.values(name).enumerate() {
                if number > 0 {
                    text.push(',');
                }
                trimmed(value, &mut text);
            }
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&signed_headers.join(";"));
        text.push('\n');
        text.push_str(payload);
        text
    }
}

/// How a service writes paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paths {
    /// Whether `.`, `..` and empty segments are resolved.
    pub(crate) normalized: bool,
    /// Whether what is encoded is encoded again.
    pub(crate) encoded_twice: bool,
}

impl Paths {
    /// S3's keys may have any form, so it takes paths as they are; all others resolve and encode them again.
    pub(crate) fn of(service: &str) -> Self {
        let is_s3 = service == "s3";
        Self {
            normalized: !is_s3,
            encoded_twice: !is_s3,
        }
    }

    fn canonical(self, path: &str) -> String {
        let resolved = if self.normalized {
            resolved(path)
        } else {
            path.to_owned()
        };
        let path = if resolved.is_empty() { "/" } else { &resolved };
        let mut text = String::with_capacity(path.len());
        for byte in path.bytes() {
            if byte == b'/' || !self.encoded_twice && (byte == b'%' || byte.is_ascii_graphic()) {
                text.push(char::from(byte));
            } else {
                encoded(byte, &mut text);
            }
        }
        text
    }
}

fn resolved(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let ends_in_folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    let mut text = format!("/{}", segments.join("/"));
    if ends_in_folder && !text.ends_with('/') {
        text.push('/');
    }
    text
}

/// The parameters in the order of their names and values, each encoded once.
fn query(query: &str) -> String {
    let mut parameters: Vec<(String, String)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (encoded_once(name), encoded_once(value))
        })
        .collect();
    parameters.sort_unstable();
    let texts: Vec<String> = parameters
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    texts.join("&")
}

/// A text in which what is encoded stays, and what ought to be is.
fn encoded_once(text: &str) -> String {
    let mut once = String::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        match after {
            [high, low, ..] if byte == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                once.push('%');
                once.push(char::from(high.to_ascii_uppercase()));
                once.push(char::from(low.to_ascii_uppercase()));
                rest = &after[2..];
            }
            _ => {
                encoded(byte, &mut once);
                rest = after;
            }
        }
    }
    once
}

fn encoded(byte: u8, text: &mut String) {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        text.push(char::from(byte));
    } else {
        write!(text, "%{byte:02X}").expect("a string takes all that is written");
    }
}

/// A value without space around it, and with one space where there were several.
fn trimmed(value: &str, text: &mut String) {
    for (number, word) in value.split_ascii_whitespace().enumerate() {
        if number > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
}
