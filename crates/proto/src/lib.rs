//! The contract: the messages, clients and servers generated from `proto/`, and the descriptors that drive the gateway.

/// The generated modules, one a package: `treenail::glue::v1` and so on.
mod generated {
    #![allow(missing_docs, unused_qualifications, unreachable_pub, clippy::all, clippy::allow_attributes, clippy::allow_attributes_without_reason)]
    include!(concat!(env!("OUT_DIR"), "/treenail.rs"));
}

pub use generated::treenail::{aws, glue, internal, ops, worker};

/// The encoded `FileDescriptorSet` of all of `proto/`, with the values of our options.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/treenail.binpb"));
