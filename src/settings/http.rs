//! MCP over HTTP.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{DurationRange, Group, Kind, Setting, change, utf8};
use crate::model::http::Carrier;
use crate::model::value::InvalidValue;

pub(super) const GROUP: Group = Group { heading: "HTTP", settings: &SETTINGS };

/// The longest timeout of a client, a stream or a session.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

const SETTINGS: [Setting; 11] = [
    Setting {
        flag: "http",
        variable: "CODEX_PERSISTENT_MCP_HTTP",
        value_name: "ADDRESS",
        kind: Kind::Text {
            read: |text| {
                let address = address(utf8(text)?)?;
                change(move |settings| settings.http.address = Some(address))
            },
            write: |settings| settings.http.address.map(|address| address.to_string().into()),
        },
        default: Some("none: MCP on standard input and output"),
        help: "Serve MCP over HTTP on this address and port, such as 127.0.0.1:8765",
        docs: "With port 0 the system chooses a free port. The URL is printed on standard error. Any address \
               except a loopback one needs a token: see `--http-token-file`. The server does not speak TLS; put a \
               reverse proxy in front of it.\n\n\
               A request may have 16 MiB, and 32 KiB of headers. All requests that are being received may have \
               64 MiB together. A session may have 256 requests in progress.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "transport",
        variable: "CODEX_PERSISTENT_MCP_TRANSPORT",
        value_name: "KIND",
        kind: Kind::Text {
            read: |text| {
                let text = utf8(text)?;
                let carrier = Carrier::ALL.into_iter().find(|carrier| carrier.name() == text);
                let names = Carrier::ALL.map(Carrier::name).join(", ");
                let carrier =
                    carrier.ok_or_else(|| InvalidValue(format!("must be one of {names}")))?;
                change(move |settings| settings.http.transport = Some(carrier))
            },
            write: |settings| settings.http.transport.map(|carrier| carrier.name().into()),
        },
        default: Some("streamable-http with --http, else stdio"),
        help: "How MCP is carried: stdio, streamable-http or sse",
        docs: "`streamable-http` and `sse` need `--http`. `sse` is the older pair of `GET /sse` and \
               `POST /messages`, for clients that know nothing else. A call over `sse` ends with its connection.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "mount-path",
        variable: "CODEX_PERSISTENT_MCP_MOUNT_PATH",
        value_name: "PATH",
        kind: Kind::Text {
            read: |text| {
                let path = mount_path(utf8(text)?)?;
                change(move |settings| settings.http.mount_path.clone_from(&path))
            },
            write: |settings| Some(settings.http.mount_path.clone().into()),
        },
        default: None,
        help: "The path of the endpoint of streamable HTTP",
        docs: "It begins with a slash.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "http-token-file",
        variable: "CODEX_PERSISTENT_MCP_HTTP_TOKEN_FILE",
        value_name: "FILE",
        kind: Kind::Text {
            read: |path| {
                let path = super::absolute(path)?;
                change(move |settings| settings.http.token_file = Some(path.clone()))
            },
            write: |settings| settings.http.token_file.as_ref().map(Into::into),
        },
        default: Some("none"),
        help: "The file with the bearer token that HTTP clients must send",
        docs: "One line of 16 to 1024 visible ASCII characters, such as the output of `openssl rand -hex 32`. \
               Make it readable by you alone. The file is read at the start. The variable \
               `CODEX_PERSISTENT_MCP_HTTP_TOKEN` can hold the token itself; no flag can, because other users can \
               see command lines. Codex does not get that variable.\n\n\
               Without a token, every program and every user of this machine can call the server, and so run \
               Codex as you.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "http-allowed-hosts",
        variable: "CODEX_PERSISTENT_MCP_HTTP_ALLOWED_HOSTS",
        value_name: "HOSTS",
        kind: Kind::List {
            read: |text| {
                let host = host(utf8(text)?)?;
                change(move |settings| settings.http.allowed_hosts.push(host.clone()))
            },
            write: |settings| settings.http.allowed_hosts.iter().map(OsString::from).collect(),
        },
        default: Some("none"),
        help: "Further names by which HTTP clients may address the server, separated by commas",
        docs: "`localhost`, `127.0.0.1`, `[::1]` and the address of `--http` are always accepted. Any other value of \
               the header `Host` is refused, which stops web pages that point a name of their own at this machine \
               (DNS rebinding). An entry is a name, or a name and a port: `mcp.example.com`, \
               `mcp.example.com:8443`. Behind a reverse proxy, add the public name.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "http-allowed-origins",
        variable: "CODEX_PERSISTENT_MCP_HTTP_ALLOWED_ORIGINS",
        value_name: "ORIGINS",
        kind: Kind::List {
            read: |text| {
                let origin = origin(utf8(text)?)?;
                change(move |settings| settings.http.allowed_origins.push(origin.clone()))
            },
            write: |settings| settings.http.allowed_origins.iter().map(OsString::from).collect(),
        },
        default: Some("none"),
        help: "Further web origins whose requests are accepted, separated by commas",
        docs: "A request with the header `Origin` comes from a web page. Pages of `localhost`, `127.0.0.1` and \
               `[::1]` are accepted, and these: `https://app.example.com`. The server sends no CORS headers.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "http-max-connections",
        variable: "CODEX_PERSISTENT_MCP_HTTP_MAX_CONNECTIONS",
        value_name: "N",
        kind: Kind::Count {
            range: 1..=65_536,
            get: |settings| u32::try_from(settings.http.max_connections).unwrap_or(u32::MAX),
            set: |settings, number| settings.http.max_connections = number as usize,
        },
        default: None,
        help: "How many HTTP connections may be open at a time",
        docs: "A further one is answered with status 503 and closed. Each running call, and each client that \
               listens for messages, holds one.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "http-max-sessions",
        variable: "CODEX_PERSISTENT_MCP_HTTP_MAX_SESSIONS",
        value_name: "N",
        kind: Kind::Count {
            range: 1..=65_536,
            get: |settings| u32::try_from(settings.http.max_sessions).unwrap_or(u32::MAX),
            set: |settings, number| settings.http.max_sessions = number as usize,
        },
        default: None,
        help: "How many HTTP sessions may exist at a time",
        docs: "One more replaces the session that has been unused for the longest time. If all are in use, it is \
               answered with status 503. Clients of MCP 2026-07-28 have no session.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "http-client-timeout",
        variable: "CODEX_PERSISTENT_MCP_HTTP_CLIENT_TIMEOUT",
        value_name: "DURATION",
        kind: Kind::Duration {
            range: DurationRange { least: Duration::from_millis(100), most: Some(MAX_TIMEOUT) },
            field: |settings| &mut settings.http.client_timeout,
        },
        default: None,
        help: "How long an HTTP client may take to send a request, or to read what was written",
        docs: "It applies to the headers, to the body, and to each write that the client does not read. A \
               connection without a request is closed after this time too.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "http-resume-within",
        variable: "CODEX_PERSISTENT_MCP_HTTP_RESUME_WITHIN",
        value_name: "DURATION",
        kind: Kind::Duration {
            range: DurationRange { least: Duration::ZERO, most: Some(MAX_TIMEOUT) },
            field: |settings| &mut settings.http.resume_within,
        },
        default: None,
        help: "How long a call goes on after its HTTP connection was lost",
        docs: "Until then the client can resume its stream with `Last-Event-ID`, and gets the answer. After that \
               the call is stopped, as by `notifications/cancelled`. A client that never got the id of an event \
               cannot resume, so its call is stopped at once. Jobs go on in any case.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "http-session-timeout",
        variable: "CODEX_PERSISTENT_MCP_HTTP_SESSION_TIMEOUT",
        value_name: "DURATION",
        kind: Kind::Duration {
            range: DurationRange { least: Duration::from_secs(1), most: Some(MAX_TIMEOUT) },
            field: |settings| &mut settings.http.session_timeout,
        },
        default: None,
        help: "How long an HTTP session exists that nobody uses",
        docs: "A session with an open stream or a running call is in use. Sessions of Codex have nothing to do with \
               it: they stay.",
        inherited: false,
        former: None,
    },
];

fn address(text: &str) -> Result<SocketAddr, InvalidValue> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let local = local.map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    local.or_else(|| text.parse().ok()).ok_or_else(|| {
        InvalidValue("must be an IP address and a port, such as 127.0.0.1:8765 or [::1]:0".into())
    })
}

fn mount_path(text: &str) -> Result<String, InvalidValue> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if !text.starts_with('/') || text.contains("//") || !text.chars().all(is_plain) {
        return Err(InvalidValue(
            "must begin with / and consist of letters, digits and -._~, such as /mcp".into(),
        ));
    }
    Ok(if text == "/" { text } else { text.trim_end_matches('/') }.to_owned())
}

fn host(text: &str) -> Result<String, InvalidValue> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        return Err(InvalidValue(
            "must be a host name, with a port if it matters, such as mcp.example.com:8443".into(),
        ));
    }
    Ok(text.to_ascii_lowercase())
}

fn origin(text: &str) -> Result<String, InvalidValue> {
    let text = text.to_ascii_lowercase();
    let rest = text.split_once("://").map(|(_, rest)| rest);
    if rest.is_none_or(|rest| rest.is_empty() || rest.contains(['/', ' '])) {
        return Err(InvalidValue(
            "must be an origin with its scheme, such as https://app.example.com".into(),
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_no_name_but_localhost() {
        for (text, expected) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:80", "[::1]:80"),
            ("localhost:9", "127.0.0.1:9"),
        ] {
            assert_eq!(address(text).expect(text).to_string(), expected);
        }
        for wrong in ["", "127.0.0.1", "8765", "example.com:80", "localhost:70000", ":80"] {
            address(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn a_mount_path_begins_with_a_slash_and_ends_without() {
        assert_eq!(mount_path("/a/b/").expect("it is a path"), "/a/b");
        assert_eq!(mount_path("/").expect("it is a path"), "/");
        for wrong in ["", "mcp", "/a?b", "/a b", "//", "/a#b", "/%6d"] {
            mount_path(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn hosts_and_origins_are_compared_in_lower_case() {
        assert_eq!(host("MCP.example.com:1").expect("it is a host"), "mcp.example.com:1");
        assert_eq!(origin("https://A.example").expect("it is one"), "https://a.example");
        for wrong in ["", "a/b", "http://a", "a b"] {
            host(wrong).expect_err(wrong);
        }
        for wrong in ["", "a.example", "https://", "https://a/b"] {
            origin(wrong).expect_err(wrong);
        }
    }
}
