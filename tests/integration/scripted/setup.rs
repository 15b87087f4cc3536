//! `setup`: the files of eight clients, with what a user has in them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::cli::{self, Ran};
use crate::kit::doctor::{check, text};
use crate::kit::play::Stage;
use crate::kit::setup::PROGRAM;
use crate::support::scripted_codex;

const CLIENTS: [&str; 8] =
    ["claude", "codex", "cursor", "vscode", "zed", "gemini", "opencode", "windsurf"];

const NAME: &str = "codex-persistent";

fn setup(stage: &Stage, arguments: &[&str]) -> Ran {
    let arguments = [&["setup"], arguments].concat();
    cli::run(cli::program(&stage.home, &scripted_codex(), &arguments))
}

fn done(stage: &Stage, arguments: &[&str]) -> String {
    let ran = setup(stage, arguments);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    ran.stdout
}

/// The file of a client, and the key of its servers.
fn place(stage: &Stage, client: &str) -> (PathBuf, &'static str) {
    let code = if cfg!(target_os = "macos") {
        "Library/Application Support/Code/User/mcp.json"
    } else {
        ".config/Code/User/mcp.json"
    };
    let (file, servers) = match client {
        "claude" => (".claude.json", "mcpServers"),
        "codex" => return (stage.home.path().join("config.toml"), "mcp_servers"),
        "cursor" => (".cursor/mcp.json", "mcpServers"),
        "vscode" => (code, "servers"),
        "zed" => (".config/zed/settings.json", "context_servers"),
        "gemini" => (".gemini/settings.json", "mcpServers"),
        "opencode" => (".config/opencode/opencode.json", "mcp"),
        "windsurf" => (".codeium/windsurf/mcp_config.json", "mcpServers"),
        other => panic!("no client {other}"),
    };
    (stage.home.user().join(file), servers)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has one")).expect("writable");
    fs::write(path, text).expect("writable");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("it exists")
}

/// What is in the folder of a file.
fn beside(path: &Path) -> Vec<String> {
    let files = fs::read_dir(path.parent().expect("it has one")).expect("it exists");
    let name = |file: fs::DirEntry| file.file_name().into_string().expect("test names are text");
    let mut names: Vec<String> = files.map(|file| name(file.expect("readable"))).collect();
    names.sort();
    names
}

/// A file as a user has it, with another server.
fn users_file(client: &str, servers: &str) -> String {
    if client == "codex" {
        return format!(
            "# mine\nmodel = \"m\" # keep\n\n[{servers}.other] # one\ncommand = \"x\"\n"
        );
    }
    format!(
        "{{\n    \"theme\": \"dark\",\n    \"{servers}\": {{\n        \"other\": {{\"command\": \"x\"}}\n    }},\n    \
         \"last\": [1,2]\n}}\n"
    )
}

#[test]
fn each_client_is_set_up_once_and_undone_to_the_byte() {
    for client in CLIENTS {
        let stage = Stage::new();
        let (file, servers) = place(&stage, client);
        let before = users_file(client, servers);
        write(&file, &before);
        fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).expect("it exists");
        let printed = done(&stage, &[client, "--print"]);
        assert!(printed.contains(NAME) && printed.contains(PROGRAM), "{printed}");
        assert_eq!(read(&file), before, "--print changes nothing");

        let said = done(&stage, &[client]);
        assert!(said.contains("changed ") && said.contains("the version before"), "{said}");
        let after = read(&file);
        let lines = before.lines().filter(|line| !line.contains("\"x\"") && line.len() > 5);
        for line in lines {
            assert!(after.contains(line), "{client}: {line:?} is gone from {after}");
        }
        assert!(after.contains(NAME) && after.contains("other"), "{after}");
        assert_eq!(file.metadata().expect("it exists").mode() & 0o777, 0o640, "{client}");
        let backup = file.with_file_name(format!(
            "{}.before-codex-persistent-mcp",
            file.file_name().expect("it has one").display()
        ));
        assert_eq!(read(&backup), before);
        assert_eq!(backup.metadata().expect("it exists").mode() & 0o777, 0o600);

        let again = done(&stage, &[client]);
        assert!(again.contains("already set up"), "{again}");
        assert_eq!(read(&file), after);
        assert!(done(&stage, &[]).contains(&format!("{client:<9} set up")), "{client}");

        done(&stage, &[client, "--undo"]);
        assert_eq!(read(&file), before, "{client}");
        assert!(!backup.exists());
        assert!(done(&stage, &[client, "--undo"]).contains("no entry"), "{client}");
        assert_eq!(read(&file), before);
        assert!(beside(&file).iter().all(|name| !name.ends_with(".lock")), "{:?}", beside(&file));
    }
}

#[test]
fn a_client_without_a_file_gets_one_and_undo_removes_it() {
    for client in CLIENTS {
        let stage = Stage::new();
        let (file, _) = place(&stage, client);
        drop(fs::remove_file(&file));
        let said = done(&stage, &[client]);
        assert!(!said.contains("the version before"), "{said}");
        let printed = done(&stage, &[client, "--print"]);
        assert!(printed.contains(read(&file).trim_end()), "{printed}");
        assert_eq!(file.metadata().expect("it exists").mode() & 0o777, 0o600, "{client}");
        done(&stage, &[client, "--undo"]);
        assert!(!file.exists(), "{client}");
    }
}

#[test]
fn what_was_changed_since_stays_when_it_is_undone() {
    let stage = Stage::new();
    for (client, from, to) in
        [("gemini", "\"dark\"", "\"light\""), ("codex", "\"m\" # keep", "\"n\" # keep")]
    {
        let (file, servers) = place(&stage, client);
        let before = users_file(client, servers);
        write(&file, &before);
        done(&stage, &[client]);
        write(&file, &read(&file).replace(from, to));
        done(&stage, &[client, "--undo"]);
        assert_eq!(read(&file), before.replace(from, to), "{client}");
    }
}

#[test]
fn an_entry_of_the_user_keeps_what_it_has_and_gets_what_it_lacks() {
    let stage = Stage::new();
    let (file, _) = place(&stage, "codex");
    let before = format!(
        "[mcp_servers.{NAME}]\ncommand = \"{PROGRAM}\"\nargs = [\"--debug\"] # mine\n\
         tool_timeout_sec = 60\nenv = {{ TOKEN = \"hush\" }}\n"
    );
    write(&file, &before);
    let listed = done(&stage, &[]);
    assert!(listed.contains("setup would correct ") && listed.contains("tool_timeout_sec"));
    let said = done(&stage, &["codex"]);
    for line in
        ["- codex-persistent.tool_timeout_sec = 60", "+ codex-persistent.tool_timeout_sec = 3600"]
    {
        assert!(said.contains(line), "{said}");
    }
    assert!(!said.contains("hush"), "{said}");
    let after = read(&file);
    for kept in ["args = [\"--debug\"] # mine", "TOKEN = \"hush\"", "\"approve\"", "\"CODEX_HOME\""]
    {
        assert!(after.contains(kept), "{after}");
    }
    let undone = done(&stage, &["codex", "--undo"]);
    assert!(undone.contains("+ codex-persistent.tool_timeout_sec = 60"), "{undone}");
    assert_eq!(read(&file), before);

    // On one line, the whole entry would be shown if lines were.
    let (file, _) = place(&stage, "gemini");
    let entry = json!({"command": PROGRAM, "timeout": 5, "env": {"TOKEN": "hush"}});
    let before = json!({"mcpServers": {NAME: entry}}).to_string();
    write(&file, &before);
    let said = done(&stage, &["gemini"]);
    assert!(said.contains("3600000") && !said.contains("hush"), "{said}");
    write(&file, &read(&file).replace("hush", "quiet"));
    done(&stage, &["gemini", "--undo"]);
    assert_eq!(read(&file), before.replace("hush", "quiet"), "only our change is undone");
}

#[test]
fn gemini_is_told_to_pass_a_key_on_and_not_its_value() {
    let stage = Stage::new();
    let mut command = cli::program(&stage.home, &scripted_codex(), &["setup", "gemini"]);
    command.env("CODEX_API_KEY", "hush");
    let ran = cli::run(command);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let (file, servers) = place(&stage, "gemini");
    let written: Value = serde_json::from_str(&read(&file)).expect("it is JSON");
    let variables = json!({"CODEX_API_KEY": "$CODEX_API_KEY"});
    assert_eq!(written[servers][NAME]["env"], variables, "{written}");
}

#[test]
fn another_server_of_that_name_is_left_alone() {
    let stage = Stage::new();
    let (file, _) = place(&stage, "cursor");
    let before = json!({"mcpServers": {NAME: {"command": "node"}}}).to_string();
    write(&file, &before);
    for arguments in [&["cursor"][..], &["cursor", "--undo"]] {
        let ran = setup(&stage, arguments);
        assert_eq!(ran.status, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("another server named codex-persistent (node)"), "{ran:?}");
        assert_eq!(read(&file), before);
    }
}

#[test]
fn a_file_that_cannot_be_understood_is_named_and_unchanged() {
    let stage = Stage::new();
    for client in CLIENTS {
        let (file, servers) = place(&stage, client);
        let broken = match client {
            "codex" => "a = 1\nb = = \"hush\"\n".to_owned(),
            _ => "{\n  \"a\": \"hush\"\n  b c\n}\n".to_owned(),
        };
        let wrong_form = match client {
            "codex" => format!("{servers} = 1\n"),
            _ => json!({servers: [1]}).to_string(),
        };
        for (text, where_in_it) in [(broken, "line "), (wrong_form, servers)] {
            write(&file, &text);
            let ran = setup(&stage, &[client]);
            assert_eq!(ran.status, Some(2), "{ran:?}");
            let name = file.file_name().expect("it has one").to_str().expect("text");
            assert!(ran.stderr.contains(name) && ran.stderr.contains("not changed"), "{ran:?}");
            assert!(ran.stderr.contains(where_in_it), "{ran:?}");
            assert!(!ran.stderr.contains("hush"), "{ran:?}");
            assert_eq!(read(&file), text);
        }
        fs::remove_file(&file).expect("it exists");
        assert!(beside(&file).iter().all(|name| !name.contains("before-codex")), "{client}");
    }
}

#[test]
fn the_mark_the_line_ends_and_the_comments_stay() {
    let stage = Stage::new();
    for (client, before) in [
        ("vscode", "\u{feff}{\r\n\t// mine\r\n\t\"inputs\": [], /* two */\r\n}\r\n"),
        ("zed", "// Zed settings\n{\n  \"vim_mode\": true, // yes\n}\n"),
        ("opencode", "{}"),
        ("cursor", ""),
        ("codex", "\u{feff}# mine\r\nmodel = \"m\" # two\r\n"),
    ] {
        let (file, _) = place(&stage, client);
        write(&file, before);
        done(&stage, &[client]);
        let after = read(&file);
        for kept in ["\u{feff}", "// mine", "/* two */", "// Zed", "// yes", "# mine", "# two"] {
            assert_eq!(after.contains(kept), before.contains(kept), "{client}: {after:?}");
        }
        if before.contains("\r\n") {
            assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "{after:?}");
        }
        assert!(done(&stage, &[client]).contains("already set up"), "{client}");
        done(&stage, &[client, "--undo"]);
        assert_eq!(read(&file), before, "{client}");
    }
}

#[test]
fn a_link_stays_one_and_its_target_is_changed() {
    let stage = Stage::new();
    let (file, _) = place(&stage, "gemini");
    fs::create_dir_all(file.parent().expect("it has one")).expect("writable");
    let target = stage.home.user().join("dotfiles.json");
    symlink("../dotfiles.json", &file).expect("writable");
    // First to a file that is not there yet, then to one that is.
    for before in ["", "{\"a\": 1}\n"] {
        if !before.is_empty() {
            write(&target, before);
        }
        done(&stage, &["gemini"]);
        assert!(file.symlink_metadata().expect("it exists").is_symlink());
        assert!(read(&target).contains(NAME));
        done(&stage, &["gemini", "--undo"]);
        assert!(file.symlink_metadata().expect("it exists").is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap_or_default(), before);
    }
}

#[test]
fn a_pipe_a_folder_and_a_huge_file_are_refused_at_once() {
    let stage = Stage::new();
    let (file, _) = place(&stage, "cursor");
    fs::create_dir_all(file.parent().expect("it has one")).expect("writable");
    let refused = |what: &str| {
        for arguments in [&["cursor"][..], &["cursor", "--undo"]] {
            let ran = setup(&stage, arguments);
            assert_eq!(ran.status, Some(2), "{ran:?}");
            assert!(ran.stderr.contains(what), "{ran:?}");
        }
        assert!(done(&stage, &[]).contains(what), "the list goes on");
    };
    let pipe = Command::new("mkfifo").arg(&file).status();
    assert!(pipe.expect("every Unix has it").success());
    refused("not a regular file");
    fs::remove_file(&file).expect("it exists");
    fs::create_dir(&file).expect("writable");
    refused("not a regular file");
    fs::remove_dir(&file).expect("it exists");
    let huge = fs::File::create(&file).expect("writable");
    huge.set_len(65 << 20).expect("it may have holes");
    refused("too long");
    fs::write(&file, [b'{', 0xff, b'}']).expect("writable");
    refused("not UTF-8");
}

#[test]
fn two_at_once_lose_nothing_and_a_held_lock_is_respected() {
    let stage = Stage::new();
    let (file, servers) = place(&stage, "claude");
    write(&file, &users_file("claude", servers));
    let start = || {
        let arguments = ["setup", "claude"];
        cli::start(&mut cli::program(&stage.home, &scripted_codex(), &arguments))
    };
    let all: Vec<_> = (0..4).map(|_| start()).collect();
    let all: Vec<Ran> = all.into_iter().map(cli::ended).collect();
    assert!(all.iter().all(|ran| ran.status == Some(0)), "{all:?}");
    let changed = all.iter().filter(|ran| ran.stdout.contains("changed ")).count();
    assert_eq!(changed, 1, "{all:?}");

    done(&stage, &["claude", "--undo"]);
    let lock = file.with_file_name(".claude.json.lock");
    fs::create_dir(&lock).expect("writable");
    let before = read(&file);
    let ran = setup(&stage, &["claude"]);
    assert!(ran.stderr.contains("another program is changing it"), "{ran:?}");
    assert_eq!((ran.status, read(&file)), (Some(2), before));
    // Its owner is gone.
    let old = Command::new("touch").args(["-d", "2020-01-01"]).arg(&lock).status();
    if old.expect("every Unix has it").success() {
        done(&stage, &["claude"]);
        assert!(!lock.exists());
    }
}

#[test]
fn the_doctor_finds_nothing_to_do_after_setup() {
    let stage = Stage::new();
    let doctor = || {
        let codex = super::doctor::codex_of(&stage, "0.171.0");
        let ran = cli::run(cli::program(&stage.home, &codex, &["doctor", "--json"]));
        cli::parsed(&ran.stdout)[0].clone()
    };
    let complaints = |report: &Value| -> Vec<String> {
        let checks = report["checks"].as_array().expect("a list").iter();
        let wrong = checks.filter(|check| check["status"] != "ok");
        let ids = wrong.map(|check| text(check, "id").to_owned());
        ids.filter(|id| id.contains(NAME) || id.ends_with(".file") || id == "clients").collect()
    };
    assert_eq!(complaints(&doctor()), ["clients"]);
    for client in CLIENTS {
        done(&stage, &[client]);
    }
    let report = doctor();
    assert_eq!(complaints(&report), [""; 0], "{report:#}");
    for client in CLIENTS {
        let id = if client == "codex" { "codex_client" } else { client };
        assert_eq!(check(&report, &format!("{id}.{NAME}"))["status"], "ok");
    }

    // What a user may do to them.
    for (client, from, to, complaint) in [
        ("gemini", "3600000", "60000", "gemini.codex-persistent.timeout"),
        ("zed", "3600", "60", "zed.codex-persistent.timeout"),
        ("opencode", "true", "false", "opencode.codex-persistent.off"),
        (
            "cursor",
            "\"args\": []",
            "\"args\": [\"--timout=hush\"]",
            "cursor.codex-persistent.settings",
        ),
        ("vscode", PROGRAM, "/gone/codex-persistent-mcp", "vscode.codex-persistent.command"),
    ] {
        let (file, _) = place(&stage, client);
        let good = read(&file);
        write(&file, &good.replace(from, to));
        let report = doctor();
        assert_eq!(complaints(&report), [complaint], "{report:#}");
        assert!(!report.to_string().contains("hush"), "{report:#}");
        // Arguments are the user's.
        if client != "cursor" {
            done(&stage, &[client]);
        }
        write(&file, &good);
    }
}

#[test]
fn plugins_of_claude_code_and_codex_are_checked() {
    let stage = Stage::new();
    let folder = stage.home.user().join("plugins-of-claude");
    let servers = |more: Value| {
        let mut server = json!({"command": PROGRAM, "args": ["--timout=hush"]});
        server
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        json!({"mcpServers": {"mine": server}}).to_string()
    };
    write(&folder.join(".mcp.json"), &servers(json!({})));
    let installed = json!({"version": 2, "plugins": {"p@m": [{"installPath": folder}]}});
    let claude = stage.home.user().join(".claude");
    write(&claude.join("plugins/installed_plugins.json"), &installed.to_string());
    let copy = stage.home.path().join("plugins/cache/m/p/1.0.0/.mcp.json");
    write(&copy, &servers(json!({"tool_timeout_sec": 60})));
    stage.home.append_config("[plugins.\"p@m\"]\nenabled = true");
    let report = || {
        let codex = super::doctor::codex_of(&stage, "0.171.0");
        let ran = cli::run(cli::program(&stage.home, &codex, &["doctor", "--json"]));
        assert!(!ran.stdout.contains("hush"), "{}", ran.stdout);
        cli::parsed(&ran.stdout)[0].clone()
    };
    let found = report();
    for id in ["plugin.claude.p@m.mine.settings", "plugin.codex.p@m.mine.settings"] {
        assert_eq!(check(&found, id)["status"], "problem");
    }
    let timeout = check(&found, "plugin.codex.p@m.mine.timeout");
    assert!(text(timeout, "fix").contains("setup codex"), "{timeout}");

    // Switched off, they are no concern.
    write(&claude.join("settings.json"), &json!({"enabledPlugins": {"p@m": false}}).to_string());
    let config = stage.home.path().join("config.toml");
    write(&config, &read(&config).replace("enabled = true", "enabled = false"));
    let found = report().to_string();
    assert!(!found.contains("plugin."), "{found}");
}

#[test]
fn the_pages_of_the_clients_have_what_is_printed() {
    let stage = Stage::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clients");
    for (client, page) in [
        ("claude", "claude-code.md"),
        ("codex", "codex.md"),
        ("cursor", "cursor.md"),
        ("vscode", "vscode.md"),
        ("zed", "zed.md"),
        ("gemini", "gemini-cli.md"),
        ("opencode", "opencode.md"),
        ("windsurf", "windsurf.md"),
    ] {
        // As for a user who has set no variable.
        let arguments = ["setup", client, "--print"];
        let mut command = cli::program(&stage.home, &scripted_codex(), &arguments);
        for variable in ["CODEX_BIN", "CODEX_HOME", "CODEX_PERSISTENT_MCP_STATE_DIR"] {
            command.env_remove(variable);
        }
        let printed = cli::run(command).stdout.replace(PROGRAM, "codex-persistent-mcp");
        let (entry, own) = printed.split_once("\n\nor by ").unwrap_or((&printed, ""));
        let (_, entry) = entry.split_once("\n\n").expect("the file is above it");
        let text = read(&folder.join(page));
        assert!(text.contains(&format!("\n{}\n```\n", entry.trim_end())), "{page} lacks:\n{entry}");
        assert!(text.contains(&format!("codex-persistent-mcp setup {client}\n")), "{page}");
        let (_, command) = own.split_once("\n\n").unwrap_or_default();
        assert!(text.contains(command.trim_end()), "{page} lacks: {command}");
    }
}
