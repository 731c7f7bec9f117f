//! The limits of the wire, each with its reason.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The largest gRPC message taken or sent, in bytes (4 MiB): what the largest AWS requests need, doubled.
///
/// Set it on every generated client and server with `max_decoding_message_size` and `max_encoding_message_size`.
pub const GRPC_MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The streams that one HTTP/2 connection may have open; tonic's own default is none, which invites rapid resets.
pub const HTTP2_STREAMS_PER_CONNECTION_MAX: u32 = 200;

/// The largest header list of a request, in bytes.
pub const HTTP2_HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;

/// Streams that a client opened and reset before we looked at them; more close the connection (CVE-2023-44487).
pub const HTTP2_PENDING_RESET_STREAMS_MAX: usize = 20;

/// Streams that we reset because the client broke the protocol; more close the connection.
pub const HTTP2_LOCAL_ERROR_RESET_STREAMS_MAX: usize = 1_024;

/// How long a connection is silent before it is pinged.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// How long the answer to such a ping may take before the connection counts as dead.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long opening a connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that one server has open; clients beyond that wait to be accepted. A worker has one for as long as it lives.
pub const CONNECTIONS_MAX: usize = 16_384;

/// Connections of one port that agree on keys at the same time: until then each may hold 64 KiB of what a stranger sends.
/// With more, the one that began first is turned away.
pub const HANDSHAKES_MAX: usize = 1_024;

/// How long an accepted connection may say nothing at all.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server waits after it could not accept a connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Calls that one server works on at a time, over all connections; more are refused at once.
///
/// A stream counts until its first answer, so long-lived streams do not use this up.
pub const CALLS_IN_FLIGHT_MAX: usize = 4_096;

/// How long a unary call may take when its caller names no deadline.
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// The longest deadline that a caller may name.
pub const CALL_DEADLINE_MAX: Duration = Duration::from_secs(300);

/// How long a stopping server waits for the calls in flight; streams that outlive it are cut.
pub const DRAIN: Duration = Duration::from_secs(25);

/// The longest `treenail-invocation-id`, in characters; SDKs send a UUID.
pub const INVOCATION_ID_LENGTH_MAX: usize = 128;

/// The longest region name, in characters.
pub const REGION_LENGTH_MAX: usize = 32;

/// Lets this process have as many files and connections open as the system allows it, where the system has set a lower limit
/// for programs that are older than `poll`. Jobs have a limit of their own.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
