//! Where in a request a value stands.

use std::fmt::Write as _;

/// How many characters of a map's key a path repeats.
const KEY_CHARACTERS_MAX: usize = 256;

/// The way from the request to a value; turned into text only when something is wrong there.
#[derive(Debug)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    segment: Segment<'a>,
}

#[derive(Debug)]
enum Segment<'a> {
    Root,
    Member(&'a str),
    /// The position in a list, from 0.
    Element(usize),
    Entry(&'a str),
}

impl<'a> Path<'a> {
    /// The request itself.
    pub(super) const ROOT: Path<'static> = Path {
        parent: None,
        segment: Segment::Root,
    };

    /// A member of the object here, by its name in paths.
    pub(super) fn member(&'a self, name: &'a str) -> Path<'a> {
        self.child(Segment::Member(name))
    }

    /// An element of the list here, by its position from 0.
    pub(super) fn element(&'a self, position: usize) -> Path<'a> {
        self.child(Segment::Element(position))
    }

    /// An entry of the map here.
    pub(super) fn entry(&'a self, key: &'a str) -> Path<'a> {
        self.child(Segment::Entry(key))
    }

    /// The path in AWS's form: `names.1.member` is the first element of `names`.
    pub(super) fn render(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn child(&'a self, segment: Segment<'a>) -> Path<'a> {
        Path {
            parent: Some(self),
            segment,
        }
    }

    fn write(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(out);
        }
        if !out.is_empty() {
            out.push('.');
        }
        match self.segment {
            Segment::Root => {}
            Segment::Member(name) => out.push_str(name),
            Segment::Element(position) => {
                write!(out, "{}.member", position + 1).expect("writing to a string cannot fail");
            }
            Segment::Entry(key) => {
                out.extend(key.chars().take(KEY_CHARACTERS_MAX));
                out.push_str(".member");
            }
        }
    }
}
