//! What a request may cost.

use std::time::Duration;

/// The largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The largest header block, in bytes.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;
/// The most headers.
pub const HEADERS_MAX: usize = 100;
/// How long the headers of a request may take to arrive.
pub const HEADER_READ: Duration = Duration::from_secs(10);
/// How long a connection that is open may take to bring its first request.
pub const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long the body of a request may take to arrive.
pub const BODY_READ: Duration = Duration::from_secs(30);
/// How many connections are open at once at the most.
pub const CONNECTIONS_MAX: usize = 4_096;
/// How long open requests may go on once the gateway is asked to end.
pub const DRAIN: Duration = Duration::from_secs(10);
/// How long a backend may take to say that it is there.
pub const READY_DEADLINE: Duration = Duration::from_secs(2);
/// How many events one request may bring.
pub const EVENTS_MAX: usize = 100;
/// The most streams that one HTTP/2 connection has open at once.
pub const HTTP2_STREAMS_MAX: u32 = 200;
