//! The MCP server: rmcp's handler.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CustomRequest, CustomResult,
    DiscoverResult, ErrorCode, ErrorData, GetTaskParams, GetTaskResult, Implementation,
    InitializeRequestParams, InitializeResult, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool as Definition, UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer};

use crate::codex::sessions::Store;
use crate::job::Jobs;
use crate::model::surface::Surface;
use crate::model::text::excerpt;
use crate::tool::{self, ClientJobs, Listed, OneThread, Services, Threads};
use crate::turn::Codex;

mod compat;
mod instructions;
pub(crate) mod life;
mod refusal;
mod task;

pub(crate) use refusal::refuse;

/// Answers the requests of one client. A clone is for another client.
#[derive(Debug)]
pub(crate) struct Server {
    services: Services,
    /// Whether the client has sent `initialize`.
    initialized: AtomicBool,
}

impl Clone for Server {
    fn clone(&self) -> Self {
        let services = Services { client_jobs: ClientJobs::default(), ..self.services.clone() };
        Self { services, initialized: AtomicBool::new(false) }
    }
}

impl Server {
    pub(crate) fn new(codex: Codex) -> Self {
        let jobs = Jobs::new(codex.settings(), codex.scope());
        let store = Store::new(codex.settings().state_dir.as_deref());
        let (threads, one_thread) = (Threads::default(), OneThread::default());
        let client_jobs = ClientJobs::default();
        let services = Services { codex, jobs, store, client_jobs, threads, one_thread };
        Self { services, initialized: AtomicBool::new(false) }
    }

    fn surface(&self) -> Surface {
        self.services.codex.settings().surface
    }

    /// Whether this server takes the place of Codex's own.
    fn replaces_codex(&self) -> bool {
        self.surface() == Surface::Codex
    }

    /// What the tools work with in a call.
    fn services_for(&self, context: &RequestContext<RoleServer>) -> Cow<'_, Services> {
        #[cfg(feature = "http")]
        if let depth @ 1.. = depth_of(context) {
            let codex = self.services.codex.called_at(depth);
            return Cow::Owned(Services { codex, ..self.services.clone() });
        }
        #[cfg(not(feature = "http"))]
        let _ = context;
        Cow::Borrowed(&self.services)
    }
}

/// How deep the caller says that it is, if it came over HTTP. Too much is as good as the most.
#[cfg(feature = "http")]
fn depth_of(context: &RequestContext<RoleServer>) -> u32 {
    use crate::system::depth::DEPTH_HEADER;
    let parts = context.extensions.get::<http::request::Parts>();
    let values = parts.into_iter().flat_map(|parts| parts.headers.get_all(DEPTH_HEADER));
    let depths = values.map(|value| value.to_str().ok().and_then(|text| text.trim().parse().ok()));
    depths.map(|depth| depth.unwrap_or(u32::MAX)).max().unwrap_or(0).min(u32::MAX - 1)
}

/// Runs a tool. A panic in it is answered with an error.
async fn guarded<T>(tool: &str, call: impl Future<Output = T>) -> CallToolResponse
where
    CallToolResponse: From<T>,
{
    AssertUnwindSafe(call).catch_unwind().await.map_or_else(
        |_| tool::internal(tool, "the tool panicked; the server's log says where").into(),
        CallToolResponse::from,
    )
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        if self.replaces_codex() {
            return compat::info();
        }
        let implementation = Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_title("Codex, persistent");
        let capabilities = ServerCapabilities::builder().enable_tools();
        let capabilities = match self.services.codex.settings().tasks {
            true => capabilities.enable_tasks().build(),
            false => capabilities.build(),
        };
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(instructions::instructions(&self.services.codex.settings().tools))
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let requested = request.protocol_version.clone();
        let was_initialized = self.initialized.swap(true, Ordering::Relaxed);
        if self.replaces_codex() && was_initialized {
            return Err(compat::initialized_twice());
        }
        let mut result = self.negotiate_initialize(&request)?;
        // Later answers must use the version that was agreed on.
        let mut peer = request;
        peer.protocol_version = result.protocol_version.clone();
        context.peer.set_peer_info(peer);
        if self.replaces_codex() {
            // Codex named whatever version the client did.
            result.protocol_version = requested;
        }
        Ok(result)
    }

    async fn discover(
        &self,
        _context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        if self.replaces_codex() {
            return Err(compat::unknown_method("server/discover"));
        }
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info()))
    }

    async fn on_custom_request(
        &self,
        CustomRequest { method, .. }: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if self.replaces_codex() {
            return Err(compat::unknown_method(&excerpt(method)));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let settings = self.services.codex.settings();
        let all = tool::listed(settings.surface, &settings.tools);
        let definitions = all.map(|tool| tool.definition_under(settings));
        Ok(ListToolsResult::with_all_items(definitions.collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Definition> {
        tool::named(self.surface(), name).map(Listed::definition)
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let services = &self.services_for(&context);
        let Some(tool) = tool::named(self.surface(), &params.name) else {
            if self.replaces_codex() {
                return Ok(tool::unknown_tool(&params.name).into());
            }
            let names: Vec<&str> = tool::known(self.surface()).map(Listed::name).collect();
            let (unknown, names) = (excerpt(&params.name), names.join(", "));
            let message = format!("unknown tool {unknown}; the tools are {names}");
            return Err(ErrorData::invalid_params(message, None));
        };
        if let Listed::Own(chat) = tool
            && chat.name() == tool::CHAT
            && services.codex.settings().tasks
            && task::is_accepted(&context)
            && !tool::is_background(params.arguments.as_ref())
        {
            let arguments = params.arguments.unwrap_or_default();
            let call = task::start(chat, arguments, services, &context);
            return Ok(guarded(tool.name(), call).await);
        }
        Ok(guarded(tool.name(), tool.call(params.arguments, services, &context)).await)
    }

    async fn get_task(
        &self,
        params: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        task::get(&self.services.jobs, &params.task_id, &context).await
    }

    async fn update_task(
        &self,
        params: UpdateTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        task::update(&self.services.jobs, &params.task_id).await
    }

    async fn cancel_task(
        &self,
        params: CancelTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        task::cancel(&self.services.jobs, &params.task_id).await
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::CallToolResult;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_is_an_error_answer() {
        let broken = || -> CallToolResult { panic!("a defect, for the test") };
        let call = async move { broken() };
        let CallToolResponse::Complete(result) = guarded("codex_chat", call).await else {
            panic!("it is no task");
        };
        assert_eq!(result.is_error, Some(true));
        let text = result.content[0].as_text().expect("an error is text");
        assert!(text.text.starts_with("internal: "), "{}", text.text);
    }
}
