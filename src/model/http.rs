//! How MCP is served over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of a server that clients reach over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    /// Where to listen. Without an address the server speaks on standard input and output.
    pub(crate) address: Option<SocketAddr>,
    /// How MCP is carried. `None`: streamable HTTP with an address, else standard input and output.
    pub(crate) transport: Option<Carrier>,
    /// The path of the endpoint: begins with a slash and does not end with one, except `/` itself.
    pub(crate) mount_path: String,
    /// The file with the bearer token that clients must send.
    pub(crate) token_file: Option<PathBuf>,
    /// Further values of the header `Host` that are accepted: `name` or `name:port`, in lower case.
    pub(crate) allowed_hosts: Vec<String>,
    /// Further values of the header `Origin` that are accepted, in lower case.
    pub(crate) allowed_origins: Vec<String>,
    /// How many connections are open at a time.
    pub(crate) max_connections: usize,
    /// How many sessions exist at a time.
    pub(crate) max_sessions: usize,
    /// How long a client may take to send a request, or to read what was written.
    pub(crate) client_timeout: Duration,
    /// How long the stream of a call can be resumed after its connection was lost.
    pub(crate) resume_within: Duration,
    /// How long a session that nobody uses exists.
    pub(crate) session_timeout: Duration,
}

/// How MCP's messages are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// Standard input and output.
    Stdio,
    /// Streamable HTTP, of MCP 2025-03-26 and later.
    StreamableHttp,
    /// HTTP with a separate stream of events, of MCP 2024-11-05.
    Sse,
}

impl Carrier {
    pub(crate) const ALL: [Self; 3] = [Self::Stdio, Self::StreamableHttp, Self::Sse];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::StreamableHttp => "streamable-http",
            Self::Sse => "sse",
        }
    }
}

impl Http {
    /// How MCP is carried under these settings.
    pub(crate) fn carrier(&self) -> Carrier {
        let by_address = match self.address {
            Some(_) => Carrier::StreamableHttp,
            None => Carrier::Stdio,
        };
        self.transport.unwrap_or(by_address)
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            address: None,
            transport: None,
            mount_path: "/mcp".into(),
            token_file: None,
            allowed_hosts: vec![],
            allowed_origins: vec![],
            max_connections: 2_048,
            max_sessions: 1_024,
            client_timeout: Duration::from_secs(30),
            resume_within: Duration::from_secs(60),
            session_timeout: Duration::from_secs(30 * 60),
        }
    }
}
