//! The sessions of a server, for rmcp's service.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use rmcp::model::{
    ClientJsonRpcMessage, JsonRpcMessage, ProtocolVersion, ServerJsonRpcMessage, ServerResult,
};
use rmcp::transport::common::server_side_http::{ServerSseMessage, SessionId};
use rmcp::transport::streamable_http_server::SessionManager;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::session::{Session, SessionTransport};
use crate::model::http::Http;
use crate::transport::{Connection, connection::Output};

/// How often unused sessions and streams are searched for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    all: Mutex<HashMap<SessionId, Arc<Session>>>,
    most: usize,
    resume_within: Duration,
    idle: Duration,
    leaving: CancellationToken,
}

impl Sessions {
    /// `leaving` is cancelled when the server leaves.
    pub(super) fn new(settings: &Http, leaving: CancellationToken) -> Self {
        Self {
            all: Mutex::default(),
            most: settings.max_sessions,
            resume_within: settings.resume_within,
            idle: settings.session_timeout,
            leaving,
        }
    }

    /// Ends what nobody uses or resumes in time. Runs until the server leaves, and then lets the streams end
    /// that belong to no request.
    pub(super) async fn sweep(&self) {
        let mut ticks = interval(SWEEP_EVERY.min(self.idle));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.expire(),
                () = self.leaving.cancelled() => break,
            }
        }
        self.all().values().for_each(|session| session.leave());
    }

    /// Makes room for one more session. Returns whether there is any.
    pub(super) fn make_room(&self) -> bool {
        let mut all = self.all();
        if all.len() < self.most {
            return true;
        }
        let idle = all.iter().filter_map(|(id, session)| Some((session.idle_for()?, id.clone())));
        let Some((_, longest)) = idle.max_by_key(|(idle, _)| *idle) else { return false };
        if let Some(session) = all.remove(&longest) {
            session.close();
        }
        true
    }

    /// The session of this id, which its client uses now.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Session>> {
        let session = self.all().get(id).cloned()?;
        session.touch();
        Some(session)
    }

    fn expire(&self) {
        let mut all = self.all();
        all.retain(|_, session| {
            session.expire();
            let is_over = session.idle_for().is_some_and(|idle| idle >= self.idle);
            if is_over {
                tracing::info!("a session that nobody used has ended");
                session.close();
            }
            !is_over
        });
    }

    fn get(&self, id: &SessionId) -> io::Result<Arc<Session>> {
        self.find(id).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "unknown session"))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Session>>> {
        // Nothing panics while it is held.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionManager for Sessions {
    type Error = io::Error;
    type Transport = Connection<SessionTransport>;

    async fn create_session(&self) -> io::Result<(SessionId, Self::Transport)> {
        let (session, transport) = Session::new(self.resume_within, self.leaving.clone());
        let id: SessionId = Uuid::new_v4().to_string().into();
        let mut all = self.all();
        if all.len() >= self.most {
            return Err(io::Error::other("there are too many sessions"));
        }
        all.insert(Arc::clone(&id), session);
        Ok((id, Connection::new(transport, Output::default())))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> io::Result<ServerJsonRpcMessage> {
        let session = self.get(id)?;
        let mut reader = session.request(message).await?;
        while let Some(event) = reader.next().await {
            match event.message.as_deref() {
                Some(answer @ JsonRpcMessage::Response(_)) => {
                    if agreed_on(answer).is_some_and(|version| {
                        version.as_str() >= ProtocolVersion::V_2025_11_25.as_str()
                    }) {
                        session.prime();
                    }
                    return Ok(answer.clone());
                }
                Some(answer @ JsonRpcMessage::Error(_)) => return Ok(answer.clone()),
                _ => {}
            }
        }
        Err(io::Error::other("the session ended before it began"))
    }

    async fn has_session(&self, id: &SessionId) -> io::Result<bool> {
        Ok(self.find(id).is_some())
    }

    async fn close_session(&self, id: &SessionId) -> io::Result<()> {
        if let Some(session) = self.all().remove(id) {
            session.close();
        }
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> io::Result<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        self.get(id)?.request(message).await
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> io::Result<()> {
        self.get(id)?.send(message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> io::Result<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        self.get(id)?.read_common().ok_or_else(|| io::Error::other("it cannot be read"))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> io::Result<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "unknown event");
        self.get(id)?.resume(&last_event_id).ok_or_else(unknown)
    }
}

/// The version that an answer to `initialize` names.
fn agreed_on(answer: &ServerJsonRpcMessage) -> Option<&ProtocolVersion> {
    match answer {
        JsonRpcMessage::Response(response) => match &response.result {
            ServerResult::InitializeResult(result) => Some(&result.protocol_version),
            _ => None,
        },
        _ => None,
    }
}
