//! A server that cannot serve: its settings are wrong. A client shows its user the error of a request, and
//! nothing of a program that exits.

use rmcp::model::{ErrorCode, ErrorData, JsonRpcMessage};
use rmcp::service::RoleServer;
use rmcp::transport::Transport;

use crate::transport::Connection;

/// Answers each request with this error until the client is gone.
pub(crate) async fn refuse<T>(mut connection: Connection<T>, problem: String)
where
    T: Transport<RoleServer> + 'static,
{
    let monitor = connection.monitor();
    while let Some(message) = connection.receive().await {
        if let JsonRpcMessage::Request(request) = message {
            let error = ErrorData::new(ErrorCode::INTERNAL_ERROR, problem.clone(), None);
            drop(connection.send(JsonRpcMessage::error(error, Some(request.id))).await);
        }
    }
    monitor.flushed().await;
}
