//! What the services share at the wire: who calls, how long a call may take, how it fails, and what it travels through.
//!
//! Owns the [`Channel`] that makes a server in this process and one far away the same thing, the one table of error
//! reasons, the deadline of every call, the limits of every server, the only clock and the only source of randomness.
//! Never knows an operation or a rule of AWS Glue.
//!
//! Start reading at [`channel`], then [`server`]; a failing call is followed through [`fault`] and [`reason`].

pub mod admin;
pub mod caller;
pub mod channel;
pub mod clock;
pub mod deadline;
pub mod entropy;
pub mod fault;
pub mod guard;
pub mod limits;
pub mod listener;
pub mod reason;
pub mod scope;
pub mod server;
pub mod shutdown;
pub mod telemetry;
pub mod tls;

pub use caller::Caller;
pub use channel::{Channel, Credentials, connect, connect_as, in_process};
pub use clock::Clock;
pub use entropy::Entropy;
pub use fault::Fault;
pub use listener::Listener;
pub use reason::Reason;
pub use scope::Scope;
pub use server::serve_grpc;
