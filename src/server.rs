//! The MCP server: rmcp's handler, and the life of the process around it.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, ErrorData,
    GetTaskParams, GetTaskResult, Implementation, InitializeRequestParams, InitializeResult,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities,
    ServerConfig, Tool as Definition, UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer};
use tokio::time::{Instant, sleep_until};

use crate::codex::sessions::Store;
use crate::job::Jobs;
use crate::model::outcome::{CancelledBy, Failure, FailureKind};
use crate::model::request::TurnRequest;
use crate::model::text::excerpt;
use crate::tool::{self, JobTool, Progress, SessionTool, Tool};
use crate::turn::{Codex, Turn};

pub(crate) mod life;
mod task;

/// The first 250 characters say when to reach for this server: that is what Codex shows in its
/// overview, and what the search for deferred tools in Claude Code looks at.
const INSTRUCTIONS: &str = "\
Codex as a second coding agent. Use it for a second opinion, to have a plan torn apart before coding \
(codex_guard_plan), to have finished work reviewed (codex_guard_final), or to hand off a question or \
a long task (codex_chat).

Every answer has a session_id: pass it to go on in the same session. Sessions survive time-outs, \
cancellations and restarts, and a person can take one over with its resume_command. codex_sessions \
finds earlier ones, also those of the person's terminal. An error says \
what to do next. For work of more than a minute or two use job_start and job_wait: a job goes on when this \
call, the client or the server ends. Codex knows nothing of this conversation: put all it needs into the call.";

/// Answers the requests of one client.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    codex: Codex,
    jobs: Jobs,
    store: Store,
}

impl Server {
    pub(crate) fn new(codex: Codex) -> Self {
        let jobs = Jobs::new(codex.settings(), codex.scope());
        let store = Store::new(codex.settings().state_dir.as_deref());
        Self { codex, jobs, store }
    }

    async fn call(
        &self,
        tool: Tool,
        params: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        let arguments = params.arguments.unwrap_or_default();
        let request = match tool.request(arguments, &self.codex.settings().origin) {
            Ok(request) => request,
            Err(kind) => return tool::failed(tool.name(), &Failure::of(kind, None)),
        };
        let began = Instant::now();
        let request = match self.codex.find_last(request).await {
            Ok(request) => request,
            Err(kind) => return tool::failed(tool.name(), &Failure::of(kind, None)),
        };
        let progress = Progress::new(began, request.resumes());
        let turn = self.codex.start(request);
        match follow(turn, progress, context).await {
            Some(turn) => tool::reply(tool, turn.outcome().await),
            None => {
                let kind = FailureKind::Cancelled { by: CancelledBy::Caller };
                tool::failed(tool.name(), &Failure::of(kind, None))
            }
        }
    }
}

/// Tells the client how the turn goes on, until there is an outcome. `None` if the client cancelled
/// the call: the turn is dropped and so stopped, and nobody waits for an answer.
async fn follow(
    mut turn: Turn,
    mut progress: Progress,
    context: &RequestContext<RoleServer>,
) -> Option<Turn> {
    let token = context.meta.get_progress_token();
    loop {
        tokio::select! {
            biased;
            () = context.ct.cancelled() => return None,
            () = sleep_until(progress.due()), if token.is_some() => {
                let (number, message) = progress.tell(Instant::now());
                if let Some(token) = &token {
                    let params = ProgressNotificationParam::new(token.clone(), f64::from(number))
                        .with_message(message);
                    // The transport never makes a message wait, so this takes no time.
                    drop(context.peer.notify_progress(params).await);
                }
            }
            event = turn.next_event() => match event {
                Some(event) => progress.note(&event),
                None => return Some(turn),
            },
        }
    }
}

/// Runs a tool so that a panic in it is an error answer and not a silence.
async fn guarded<T>(tool: &str, call: impl Future<Output = T>) -> CallToolResponse
where
    CallToolResponse: From<T>,
{
    AssertUnwindSafe(call).catch_unwind().await.map_or_else(
        |_| {
            let message = "the tool broke off; the server's log says where".into();
            tool::failed(tool, &Failure::of(FailureKind::Internal { message }, None)).into()
        },
        CallToolResponse::from,
    )
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let implementation = Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_title("Codex, persistent");
        let capabilities = ServerCapabilities::builder().enable_tools();
        let capabilities = match self.codex.settings().tasks {
            true => capabilities.enable_tasks().build(),
            false => capabilities.build(),
        };
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let result = self.negotiate_initialize(&request)?;
        // What was agreed on is what later answers must keep to.
        let mut peer = request;
        peer.protocol_version = result.protocol_version.clone();
        context.peer.set_peer_info(peer);
        Ok(result)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let turns = Tool::ALL.map(Tool::definition);
        let jobs = JobTool::ALL.map(JobTool::definition);
        let sessions = SessionTool::ALL.map(SessionTool::definition);
        let settings = self.codex.settings();
        let all = turns.into_iter().chain(jobs).chain(sessions);
        let all = all.map(|definition| tool::under(settings, definition));
        Ok(ListToolsResult::with_all_items(all.collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Definition> {
        let job = || JobTool::named(name).map(JobTool::definition);
        let session = || SessionTool::named(name).map(SessionTool::definition);
        Tool::named(name).map(Tool::definition).or_else(job).or_else(session).cloned()
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some(tool) = JobTool::named(&params.name) {
            let arguments = params.arguments.unwrap_or_default();
            let call = tool.call(arguments, &self.jobs, &self.codex, &context);
            return Ok(guarded(tool.name(), call).await);
        }
        if let Some(tool) = SessionTool::named(&params.name) {
            let arguments = params.arguments.unwrap_or_default();
            let call = tool.call(arguments, &self.store, self.codex.scope(), &context);
            return Ok(guarded(tool.name(), call).await);
        }
        let Some(tool) = Tool::named(&params.name) else {
            let names = [
                &Tool::ALL.map(Tool::name)[..],
                &JobTool::ALL.map(JobTool::name)[..],
                &SessionTool::ALL.map(SessionTool::name)[..],
            ];
            let names = names.concat().join(", ");
            let message = format!("There is no tool {}. There are {names}.", excerpt(&params.name));
            return Err(ErrorData::invalid_params(message, None));
        };
        if tool == Tool::Chat && self.codex.settings().tasks && task::is_taken(&context) {
            let arguments = params.arguments.unwrap_or_default();
            let call = task::start(arguments, &self.jobs, &self.codex, &context);
            return Ok(guarded(tool.name(), call).await);
        }
        Ok(guarded(tool.name(), self.call(tool, params, &context)).await)
    }

    async fn get_task(
        &self,
        params: GetTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        task::get(&self.jobs, &params.task_id).await
    }

    async fn update_task(
        &self,
        params: UpdateTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        task::update(&self.jobs, &params.task_id).await
    }

    async fn cancel_task(
        &self,
        params: CancelTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        task::cancel(&self.jobs, &params.task_id).await
    }
}

impl TurnRequest {
    fn resumes(&self) -> bool {
        self.continued_session().is_some()
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_head_of_the_instructions_says_when_to_use_the_server() {
        let head: String = INSTRUCTIONS.chars().take(250).collect();
        for tool in Tool::ALL {
            assert!(head.contains(tool.name()), "{} is not in {head:?}", tool.name());
        }
    }
}
