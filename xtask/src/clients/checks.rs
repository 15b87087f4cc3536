//! What each client is made to do.

use serde_json::Value;

use super::run::Run;
use crate::Failure;

/// `setup` as the page shows it, which must write what the page shows.
fn set_up(run: &Run, client: &str, file: &str) -> Result<(), Failure> {
    run.shown(&format!("codex-persistent-mcp setup {client}"))?;
    let shown = run.page.block("json", "")?;
    let parse = |text: &str| -> Result<Value, Failure> {
        serde_json::from_str(text).map_err(|error| format!("{file}: {error}"))
    };
    let (shown, written) = (parse(&shown)?, parse(&run.stage.read(file)?)?);
    let mut entries = shown.as_object().into_iter().flatten();
    if !entries.all(|(key, entry)| written[key] == *entry) {
        return Err(format!("setup wrote {written}"));
    }
    adapt(run, file)
}

/// Gives a file of the home directory the timeout of this run.
fn adapt(run: &Run, file: &str) -> Result<(), Failure> {
    run.stage.write(file, &run.adapted(&run.stage.read(file)?))
}

/// The client's own command, after that of this program was undone.
fn set_up_by_client(run: &Run, client: &str, add: &str) -> Result<(), Failure> {
    run.succeeds(&format!("codex-persistent-mcp setup {client} --undo"), &[])?;
    run.shown(add).map(drop)
}

pub fn claude(run: &mut Run) -> Result<(), Failure> {
    set_up(run, "claude", ".claude.json")?;
    let listed = run.shown("claude mcp list")?;
    run.connects(&listed, "Connected")?;
    let url = run.stage.model.url();
    run.asks(
        "claude -p \"$PROMPT\" --allowedTools mcp__codex-persistent",
        &[
            ("ANTHROPIC_BASE_URL", &url),
            ("ANTHROPIC_API_KEY", "none"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("IS_SANDBOX", "1"),
        ],
    )?;
    set_up_by_client(run, "claude", "claude mcp add")?;
    let listed = run.shown("claude mcp list")?;
    run.connects(&listed, "Connected")
}

pub fn codex(run: &mut Run) -> Result<(), Failure> {
    run.shown("codex-persistent-mcp setup codex")?;
    let shown = run.page.block("toml", "")?;
    let written = run.stage.read(".codex/config.toml")?;
    if !written.contains(&shown) {
        return Err(format!("setup wrote {written}"));
    }
    adapt(run, ".codex/config.toml")?;
    run.asks("codex exec --skip-git-repo-check \"$PROMPT\"", &[])?;
    set_up_by_client(run, "codex", "codex mcp add")?;
    let listed = run.shown("codex mcp list")?;
    run.connects(&listed, "codex-persistent-mcp")
}

pub fn gemini(run: &mut Run) -> Result<(), Failure> {
    let auth = "{\"security\": {\"auth\": {\"selectedType\": \"gemini-api-key\"}}}\n";
    run.stage.write(".gemini/settings.json", auth)?;
    set_up(run, "gemini", ".gemini/settings.json")?;
    let url = run.stage.model.url();
    let variables = [
        ("GEMINI_API_KEY", "none"),
        ("GOOGLE_GEMINI_BASE_URL", url.as_str()),
        ("GEMINI_CLI_TRUST_WORKSPACE", "true"),
    ];
    let line = run.page.command("gemini mcp list")?;
    let listed = run.succeeds(&line, &variables)?;
    run.connects(&listed, "Connected")?;
    run.asks("gemini -m gemini-2.5-flash --approval-mode yolo -p \"$PROMPT\"", &variables)?;
    let before = run.stage.read(".gemini/settings.json")?;
    set_up_by_client(run, "gemini", "gemini mcp add")?;
    let after = run.stage.read(".gemini/settings.json")?;
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    if parse(&before) == parse(&after) {
        Ok(())
    } else {
        Err(format!("`gemini mcp add` wrote {after}"))
    }
}

pub fn opencode(run: &mut Run) -> Result<(), Failure> {
    set_up(run, "opencode", ".config/opencode/opencode.json")?;
    let listed = run.shown("opencode mcp list")?;
    run.connects(&listed, "connected")?;
    let url = run.stage.model.url();
    let config = format!(
        "{{\"model\": \"stand-in/m\", \"provider\": {{\"stand-in\": {{\"npm\": \"@ai-sdk/openai-compatible\", \
         \"options\": {{\"baseURL\": \"{url}/v1\", \"apiKey\": \"none\"}}, \"models\": {{\"m\": {{}}}}}}}}}}"
    );
    run.asks("opencode run \"$PROMPT\"", &[("OPENCODE_CONFIG_CONTENT", &config)])
}

pub fn continue_cli(run: &mut Run) -> Result<(), Failure> {
    let url = run.stage.model.url();
    let model = format!(
        "name: checked\nversion: 0.0.1\nschema: v1\nmodels:\n  - name: m\n    provider: openai\n    model: m\n    \
         apiKey: none\n    apiBase: {url}/v1\n    roles: [chat]\n    capabilities: [tool_use]\n"
    );
    let servers = run.page.block("yaml", "")?;
    run.stage.write(".continue/config.yaml", &format!("{model}{servers}"))?;
    run.asks("cn -p \"$PROMPT\"", &[])
}

pub fn cline(run: &mut Run) -> Result<(), Failure> {
    let entry = run.page.block("json", "")?;
    run.stage.write(CLINE, &run.adapted(&entry))?;
    let url = run.stage.model.url();
    run.succeeds(&format!("cline auth -p openai -k none -m m -b {url}/v1"), &[])?;
    run.asks("cline \"$PROMPT\"", &[])?;
    run.stage.write(CLINE, "{}")?;
    run.shown("cline mcp add")?;
    let written = run.stage.read(CLINE)?;
    let is_there = written.contains("\"command\": \"codex-persistent-mcp\"");
    if is_there { Ok(()) } else { Err(format!("`cline mcp add` wrote {written}")) }
}

const CLINE: &str = ".cline/data/settings/cline_mcp_settings.json";

pub fn inspector(run: &mut Run) -> Result<(), Failure> {
    let listed = run.shown("mcp-inspector --cli --method tools/list")?;
    run.lists(&listed.output)?;
    let called = run.shown("mcp-inspector --cli --method tools/call")?;
    run.calls(&called.output)
}

pub fn typescript(run: &mut Run) -> Result<(), Failure> {
    program(run, "js", "@modelcontextprotocol/sdk", "node ask.mjs")
}

pub fn python(run: &mut Run) -> Result<(), Failure> {
    program(run, "python", "from mcp import", "python ask.py")
}

pub fn fastmcp(run: &mut Run) -> Result<(), Failure> {
    program(run, "python", "from fastmcp import", "python ask.py")
}

pub fn langchain(run: &mut Run) -> Result<(), Failure> {
    program(run, "python", "from langchain_mcp_adapters", "python ask.py")
}

pub fn agents(run: &mut Run) -> Result<(), Failure> {
    let text = run.page.block("python", "from agents import")?;
    run.stage.write("../project/ask.py", &run.adapted(&text))?;
    let url = format!("{}/v1", run.stage.model.url());
    run.asks(
        "python ask.py",
        &[
            ("OPENAI_BASE_URL", &url),
            ("OPENAI_API_KEY", "none"),
            ("OPENAI_AGENTS_DISABLE_TRACING", "1"),
        ],
    )
}

/// Runs a program of the page, which prints the tools and an answer.
fn program(run: &mut Run, kind: &str, with: &str, line: &str) -> Result<(), Failure> {
    let text = run.page.block(kind, with)?;
    let file = line.rsplit(' ').next().unwrap_or_default();
    run.stage.write(&format!("../project/{file}"), &run.adapted(&text))?;
    let ran = run.succeeds(line, &[])?;
    run.lists(&ran.output)?;
    run.calls(&ran.output)
}
