//! The edge: the AWS JSON 1.1 protocol over HTTP, and one public gRPC port that routes to the services behind.
//!
//! Owns nothing durable. Knows no operation by name: which there are, what their members are called, what a request must
//! fulfil and who serves it, all stands in `proto/` and is read from the descriptors.
//!
//! Start reading at [`serve()`], then `http` for a request's way through the JSON edge, and `grpc` for the other port.

mod access;
pub mod auth;
mod backends;
mod edge;
mod grpc;
mod http;
pub mod limits;
mod origin;
mod raw;
mod s3;
mod serve;

pub use access::Access;
pub use backends::Backends;
pub use s3::{Error as S3Error, S3};
pub use serve::{Config, Deps, Error, Ports, serve};
