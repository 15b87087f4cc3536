//! Who may send a request: the rules on `Host`, `Origin` and `Authorization`. Pure.
//!
//! A web page can make the user's browser send requests to this machine. It cannot change `Origin`, nor
//! `Host`, which names the page's own host even if that resolves to this machine (DNS rebinding).

use std::net::IpAddr;

use http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use http::{HeaderMap, StatusCode, Uri};

use super::refusal::Refusal;
use super::token::Token;
use crate::model::http::Http;
use crate::model::settings::HTTP_TOKEN;
use crate::model::text::excerpt;

/// The rules of a server.
#[derive(Debug)]
pub(super) struct Guard {
    /// The address that it listens on.
    own: Option<IpAddr>,
    allowed_hosts: Vec<String>,
    allowed_origins: Vec<String>,
    token: Option<Token>,
}

impl Guard {
    pub(super) fn new(settings: &Http, token: Option<Token>) -> Self {
        Self {
            own: settings.address.map(|address| address.ip()).filter(|ip| !ip.is_unspecified()),
            allowed_hosts: settings.allowed_hosts.clone(),
            allowed_origins: settings.allowed_origins.clone(),
            token,
        }
    }

    /// Refuses a request that did not come from whom it should.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        self.check_host(uri, headers)?;
        self.check_origin(headers)?;
        self.check_token(uri, headers)
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(host) = single(headers, &HOST)? else {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "The header Host is missing."));
        };
        // A request line with an authority has it instead of the header.
        let named = [Some(host.as_str()), uri.authority().map(|authority| authority.as_str())];
        match named.into_iter().flatten().find(|host| !self.is_allowed_host(host)) {
            None => Ok(()),
            Some(host) => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                format!(
                    "The host {} is not allowed. If it is a name of this server, start the server with \
                     --http-allowed-hosts.",
                    excerpt(host)
                ),
            )),
        }
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(origin) = single(headers, &ORIGIN)? else { return Ok(()) };
        let origin = origin.to_ascii_lowercase();
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if host.is_some_and(is_loopback) || self.allowed_origins.contains(&origin) {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            format!(
                "Requests of web pages of {} are not allowed. To allow them, start the server with \
                 --http-allowed-origins.",
                excerpt(&origin)
            ),
        ))
    }

    fn check_token(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(token) = &self.token else { return Ok(()) };
        // There a client looks for OAuth, which this server does not have: it must not find this refusal.
        if uri.path().starts_with("/.well-known/") {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "This server does not use OAuth."));
        }
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let wrong = match (given.next(), given.next()) {
            (Some(given), None) if token.is_in(given.as_bytes()) => return Ok(()),
            (None, _) => "is missing",
            _ => "does not have this server's token",
        };
        Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            format!(
                "The header Authorization {wrong}. Send \"Authorization: Bearer <token>\" with the token of \
                 the server's --http-token-file or {HTTP_TOKEN}."
            ),
        ))
    }

    fn is_allowed_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let (name, port) = split_port(&host);
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return false;
        }
        let is_own = || name.trim_matches(['[', ']']).parse().is_ok_and(|ip| Some(ip) == self.own);
        is_loopback(&host)
            || is_own()
            || self.allowed_hosts.iter().any(|allowed| *allowed == host || allowed == name)
    }
}

/// Whether a host, with or without a port, is this machine under a name that no page can have.
fn is_loopback(host: &str) -> bool {
    let (name, port) = split_port(host);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// A host without its port, and the port.
fn split_port(host: &str) -> (&str, Option<&str>) {
    let after_name = host.rfind(']').map_or(0, |end| end + 1);
    match host[after_name..].find(':') {
        Some(colon) => (&host[..after_name + colon], Some(&host[after_name + colon + 1..])),
        None => (host, None),
    }
}

/// The value of a header that may be there once.
fn single(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().map(str::to_owned));
    match (value, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        _ => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            format!("The header {name} must be there once, as text."),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(change: impl FnOnce(&mut Http), token: bool) -> Guard {
        let address = Some(([127, 0, 0, 1], 8765).into());
        let mut settings = Http { address, ..Http::default() };
        change(&mut settings);
        let token = token.then(|| Token::find(None, Some("0123456789abcdef".into())));
        Guard::new(&settings, token.and_then(|token| token.expect("it is a token")))
    }

    fn status(guard: &Guard, headers: &[(&'static str, &str)]) -> u16 {
        status_of(guard, "/mcp", headers)
    }

    fn status_of(guard: &Guard, uri: &str, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("it is a value"));
        }
        let checked = guard.check(&uri.parse().expect("it is a URI"), &map);
        checked.map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
    }

    #[test]
    fn only_names_of_this_machine_are_hosts() {
        let guard = guard(|_| {}, false);
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8765", "[::1]:8765", "[::1]"] {
            assert_eq!(status(&guard, &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8765",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "127.0.0.1:80:80",
            "localhost:x",
            "user@localhost",
            "[::1].evil",
            "",
            "10.0.0.1",
        ] {
            assert_eq!(status(&guard, &[("host", host)]), 403, "{host}");
        }
        assert_eq!(status(&guard, &[]), 400);
        assert_eq!(status(&guard, &[("host", "localhost"), ("host", "localhost")]), 400);
        let evil = status_of(&guard, "http://evil.example/mcp", &[("host", "localhost")]);
        assert_eq!(evil, 403);
    }

    #[test]
    fn the_operator_allows_further_hosts_with_or_without_a_port() {
        let allow = |settings: &mut Http| {
            settings.address = Some(([10, 0, 0, 1], 80).into());
            settings.allowed_hosts = vec!["mcp.example".into(), "other.example:1".into()];
        };
        let guard = guard(allow, false);
        for host in ["mcp.example", "Mcp.Example:443", "other.example:1", "10.0.0.1:80"] {
            assert_eq!(status(&guard, &[("host", host)]), 200, "{host}");
        }
        for host in ["other.example", "other.example:2", "10.0.0.2"] {
            assert_eq!(status(&guard, &[("host", host)]), 403, "{host}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let allow =
            |settings: &mut Http| settings.allowed_origins = vec!["https://app.example".into()];
        let guard = guard(allow, false);
        let with = |origin| status(&guard, &[("host", "localhost"), ("origin", origin)]);
        for origin in ["http://localhost:6274", "https://127.0.0.1", "https://App.example"] {
            assert_eq!(with(origin), 200, "{origin}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "http://app.example",
            "https://app.example:1",
            "http://localhost.evil.example",
            "http://localhost@evil.example",
            "file://localhost",
        ] {
            assert_eq!(with(origin), 403, "{origin}");
        }
    }

    #[test]
    fn with_a_token_each_request_needs_it_once() {
        let guard = guard(|_| {}, true);
        let host = ("host", "localhost");
        let right = ("authorization", "Bearer 0123456789abcdef");
        assert_eq!(status(&guard, &[host, right]), 200);
        assert_eq!(status(&guard, &[host]), 401);
        assert_eq!(status(&guard, &[host, right, right]), 401);
        assert_eq!(status(&guard, &[host, ("authorization", "Bearer 0123456789abcdeg")]), 401);
        assert_eq!(status_of(&guard, "/elsewhere", &[host]), 401);
        assert_eq!(status_of(&guard, "/.well-known/oauth-protected-resource", &[host]), 404);
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = |guard: &Guard, headers: &[(&'static str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().expect("it is a value"));
            }
            guard.check(&Uri::from_static("/mcp"), &map).expect_err("it is refused")
        };
        let plain = guard(|_| {}, true);
        let message = |headers: &[_]| refused(&plain, headers).message().to_owned();
        assert!(message(&[("host", "a.example")]).contains("--http-allowed-hosts"));
        let origin = message(&[("host", "localhost"), ("origin", "http://a.example")]);
        assert!(origin.contains("--http-allowed-origins"), "{origin}");
        assert!(message(&[("host", "localhost")]).contains("Authorization: Bearer <token>"));
    }
}
