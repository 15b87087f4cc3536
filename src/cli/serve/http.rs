//! Serves MCP over HTTP.

use super::{EXIT_WITHIN, until_signal};
use crate::cli::output::note;
use crate::cli::runtime::{exit_after_signal, listening};
use crate::model::http::Carrier;
use crate::model::settings::{HTTP_TOKEN, Settings};
use crate::server::{Server, life};
use crate::system::files::allow_open_files;
use crate::transport::{HttpServer, Token};
use crate::turn::Codex;

/// How many files may be open beside connections: the pipes of Codex processes, records, logs.
const OTHER_FILES: u64 = 1_024;

/// Whether these settings say anything about HTTP.
pub(super) fn is_wanted(settings: &Settings) -> bool {
    settings.http.address.is_some() || settings.http.carrier() != Carrier::Stdio
}

/// Serves clients until a signal comes. Returns the exit status, which is 2 for settings that do not go
/// together.
pub(super) fn run(settings: Settings) -> u8 {
    let token = match checked(&settings) {
        Ok(token) => token,
        Err(problem) => {
            note(&format!("error: {problem}"));
            return 2;
        }
    };
    allow_open_files(settings.http.max_connections as u64 + OTHER_FILES);
    listening(|signals| async move {
        let has_token = token.is_some();
        let http = match HttpServer::bind(settings.http.clone(), token) {
            Ok(http) => http,
            Err(error) => {
                let address = settings.http.address.map(|address| address.to_string());
                let address = address.unwrap_or_default();
                note(&format!("error: cannot listen on {address} (--http): {error}"));
                return 1;
            }
        };
        exit_after_signal(EXIT_WITHIN);
        note(&format!("Serving MCP on {}", http.url()));
        if !has_token {
            tracing::info!("no token is set: every user of this machine can call the server");
        }
        let server = Server::new(Codex::new(settings));
        until_signal(signals, |shutdown| async move {
            life::serve_http(server, http, shutdown.cancelled()).await;
            // A client that got no answer has seen its connection end.
            true
        })
        .await
    })
}

/// The token that clients must send.
fn checked(settings: &Settings) -> Result<Option<Token>, String> {
    let http = &settings.http;
    let carrier = http.carrier();
    let Some(address) = http.address else {
        return Err(format!(
            "--transport {} needs --http with an address, such as --http 127.0.0.1:8765",
            carrier.name()
        ));
    };
    if carrier == Carrier::Stdio {
        return Err("--transport stdio and --http exclude each other".into());
    }
    let token = Token::find(http.token_file.as_deref(), std::env::var_os(HTTP_TOKEN))
        .map_err(|problem| format!("--http-token-file {problem}"))?;
    if token.is_none() && !address.ip().is_loopback() {
        return Err(format!(
            "--http {address} can be reached from other machines, so it needs a token: set --http-token-file \
             or {HTTP_TOKEN}. Without a token, use a loopback address such as 127.0.0.1"
        ));
    }
    Ok(token)
}
