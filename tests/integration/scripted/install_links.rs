//! Links that add the server to Cursor and VS Code with a click. They are made here, of what `setup` writes if `npx`
//! started it, and put into the pages of these clients: `REFRESH_DOCS=1 cargo test --test integration install_links`.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::kit::cli::{self, Ran};
use crate::kit::play::Stage;
use crate::kit::setup::PROGRAM;
use crate::support::scripted_codex;

const NAME: &str = "codex-persistent";

const BEGIN: &str = "<!-- links: tests/integration/scripted/install_links.rs makes them -->\n";
const END: &str = "<!-- end of links -->\n";

/// The entry that `setup` shows, in the place where `npx` keeps programs.
fn entry(client: &str, servers: &str) -> Map<String, Value> {
    let stage = Stage::new();
    let folder = stage.home.user().join("_npx");
    fs::create_dir(&folder).expect("writable");
    let program = folder.join("codex-persistent-mcp");
    if fs::hard_link(PROGRAM, &program).is_err() {
        fs::copy(PROGRAM, &program).expect("writable");
    }
    let program = program.to_str().expect("test paths are text");
    let arguments = ["setup", client, "--print"];
    let Ran { status, stdout, stderr } =
        cli::run(cli::command(&stage.home, &scripted_codex(), program, &arguments));
    assert_eq!(status, Some(0), "{stderr}");
    let json = &stdout[stdout.find("\n{").expect("it has the file")..];
    let file = serde_json::Deserializer::from_str(json).into_iter::<Value>().next();
    let file = file.expect("it is not empty").expect("it is JSON");
    let entry = file[servers][NAME].as_object().cloned().expect("it has the entry");
    assert_eq!(entry["command"], "npx");
    entry
}

/// What the page of a client has between the marks.
fn links(client: &str) -> String {
    match client {
        "cursor" => {
            let entry = Value::from(entry("cursor", "mcpServers")).to_string();
            let query = format!("name={NAME}&config={}", percent(&base64(entry.as_bytes())));
            format!(
                "With a click, if you have Node.js: [add it to Cursor](https://cursor.com/en/install-mcp?{query}). \
                 The same for the address bar:\n\n```text\n\
                 cursor://anysphere.cursor-deeplink/mcp/install?{query}\n```\n"
            )
        }
        _ => {
            let name = ("name".to_owned(), Value::from(NAME));
            let entry: Map<String, Value> =
                std::iter::once(name).chain(entry("vscode", "servers")).collect();
            let query = format!("mcp/install?{}", percent(&Value::from(entry).to_string()));
            let redirect = |scheme: &str| {
                let link = percent(&format!("{scheme}:{query}"));
                format!("https://insiders.vscode.dev/redirect?url={link}")
            };
            format!(
                "With a click, if you have Node.js: [add it to VS Code]({}) or [to VS Code Insiders]({}). The same for \
                 the address bar:\n\n```text\nvscode:{query}\n```\n",
                redirect("vscode"),
                redirect("vscode-insiders"),
            )
        }
    }
}

fn page(client: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/clients/{client}.md"))
}

#[test]
fn the_pages_have_the_links_of_what_setup_writes() {
    for client in ["cursor", "vscode"] {
        let text = fs::read_to_string(page(client)).expect("it exists");
        let (before, rest) = text.split_once(BEGIN).expect("the page has a place for links");
        let (found, after) = rest.split_once(END).expect("the place has an end");
        let made = format!("\n{}\n", links(client));
        if std::env::var_os("REFRESH_DOCS").is_some() {
            fs::write(page(client), format!("{before}{BEGIN}{made}{END}{after}"))
                .expect("writable");
            continue;
        }
        assert_eq!(found, made, "refresh docs/clients/{client}.md");
    }
}

#[test]
fn the_readme_has_the_links_of_the_pages() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (client, site) in
        [("cursor", "](https://cursor.com/"), ("vscode", "](https://insiders.vscode.dev/")]
    {
        let text = fs::read_to_string(page(client)).expect("it exists");
        for readme in ["README.md", "README.zh-Hans.md", "README.zh-Hant.md"] {
            let readme = fs::read_to_string(top.join(readme)).expect("it exists");
            let (_, link) = readme.split_once(site).expect("it has the link");
            let (link, _) = link.split_once(')').expect("it ends");
            assert!(text.contains(&format!("{site}{link})")), "{link} is not in {client}.md");
        }
    }
}

#[test]
fn a_client_decodes_the_links_to_what_setup_writes() {
    let text = fs::read_to_string(page("cursor")).expect("it exists");
    let expected = entry("cursor", "mcpServers");
    let mut count = 0;
    for start in ["https://cursor.com/en/install-mcp?", "cursor://anysphere.cursor-deeplink/"] {
        let (_, link) = text.split_once(start).expect("the page has the link");
        let link = link.split([')', '\n']).next().expect("it is not empty");
        let (name, config) = link.split_once("&config=").expect("it has a configuration");
        assert!(name.ends_with(&format!("name={NAME}")), "{link}");
        let config: Value =
            serde_json::from_slice(&unbase64(&unpercent(config))).expect("it is JSON");
        assert_eq!(config.as_object(), Some(&expected), "{link}");
        count += 1;
    }
    let text = fs::read_to_string(page("vscode")).expect("it exists");
    let mut expected = entry("vscode", "servers");
    expected.insert("name".into(), NAME.into());
    let redirects = text.split("https://insiders.vscode.dev/redirect?url=").skip(1);
    let redirects = redirects.map(|rest| unpercent(rest.split(')').next().unwrap_or_default()));
    let plain = text.lines().filter(|line| line.starts_with("vscode:")).map(str::to_owned);
    for link in redirects.chain(plain) {
        let (scheme, config) = link.split_once(":mcp/install?").expect("it installs");
        assert!(["vscode", "vscode-insiders"].contains(&scheme), "{link}");
        let config: Value = serde_json::from_str(&unpercent(config)).expect("it is JSON");
        assert_eq!(config.as_object(), Some(&expected), "{link}");
        count += 1;
    }
    assert_eq!(count, 5);
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

fn unbase64(text: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for char in text.trim_end_matches('=').bytes() {
        let digit = DIGITS.iter().position(|&digit| digit == char).expect("it is base64");
        bits = bits << 6 | u32::try_from(digit).expect("it is below 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 255) as u8);
        }
    }
    bytes
}

/// As `encodeURIComponent` does it, and also `'()*`, which Markdown or a shell would take.
fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

fn unpercent(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two digits follow"));
        bytes.extend(part[2..].bytes());
    }
    String::from_utf8(bytes).expect("it is text")
}
