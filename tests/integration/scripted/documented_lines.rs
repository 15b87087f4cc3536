//! The commands in the pages of the documentation: the program takes each of them, and also each `codex … mcp-server`
//! with one word changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::kit::cli::{self, Ran};
use crate::kit::setup::home;
use crate::support::scripted_codex;

const PROGRAM: &str = "codex-persistent-mcp";

/// What stands for `ID`.
const ID: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

/// The arguments of a command.
type Arguments = Vec<String>;

/// The README and the pages in `docs/` and `docs/clients/`.
fn pages() -> Vec<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["docs", "docs/clients"];
    let docs = folders
        .into_iter()
        .flat_map(|folder| fs::read_dir(checkout.join(folder)).expect("there are pages").flatten());
    let docs = docs.map(|entry| entry.path());
    let docs = docs.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    std::iter::once(checkout.join("README.md")).chain(docs).collect()
}

/// The commands of a page, in code blocks and in backticks.
fn commands(page: &str) -> BTreeSet<Arguments> {
    let mut found = BTreeSet::new();
    for (at, part) in page.split("\n```").enumerate() {
        let (kind, text) = part.split_once('\n').unwrap_or(("", part));
        match (at % 2 == 1, kind) {
            (true, "json" | "toml" | "python" | "js") => found.extend(configured(text)),
            (true, _) => {
                let joined = text.replace("\\\n", " ");
                found.extend(joined.lines().flat_map(in_shell));
            }
            (false, _) => {
                let quoted = part.split('`').skip(1).step_by(2);
                found.extend(quoted.filter(|quoted| !quoted.contains('\n')).flat_map(in_shell));
            }
        }
    }
    found
}

/// The commands in a line of a shell.
fn in_shell(line: &str) -> Vec<Arguments> {
    let commands = words(line).into_iter().filter_map(|words| {
        let old = words.iter().rposition(|word| word == "codex");
        let old = old.filter(|at| words[*at..].iter().any(|word| word == "mcp-server"));
        // The README's table has the program's name once.
        let new = words.iter().rposition(|word| word == PROGRAM || word == "…");
        let is_plain = |word: &&String| !word.contains(['…', '[', '{']);
        let words = words[new.or(old)? + 1..].iter().filter(is_plain);
        Some(words.map(|word| if word == "ID" { ID } else { word }.to_owned()).collect())
    });
    commands.collect()
}

/// The words of each command in a line, without redirections and comments.
fn words(line: &str) -> Vec<Arguments> {
    let mut commands = vec![Vec::new()];
    let (mut word, mut quote, mut redirects) = (None::<String>, None, false);
    let mut chars = line.chars().chain([' ']);
    while let Some(char) = chars.next() {
        match (quote, char) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), _) => word.get_or_insert_default().push(char),
            (None, '#') if word.is_none() => break,
            (None, ' ' | '|' | ';' | '&' | '<' | '>' | '(' | ')') => {
                // The number of what is redirected is no word.
                let is_number = char == '>' && word.as_deref() == Some("2");
                if let Some(word) = word.take().filter(|_| !redirects && !is_number) {
                    commands.last_mut().expect("there is one").push(word);
                    redirects = false;
                } else if char == ' ' && redirects {
                    continue;
                }
                match char {
                    '<' | '>' => redirects = true,
                    '|' | ';' | '&' | '(' | ')' => {
                        commands.push(Vec::new());
                        redirects = false;
                    }
                    _ => {}
                }
            }
            (None, _) => word.get_or_insert_default().push(char),
        }
    }
    commands
}

/// The commands in a client's configuration: a `command`, and the `args` after it.
fn configured(text: &str) -> Vec<Arguments> {
    let mut found = Vec::new();
    for entry in text.split("command").skip(1) {
        let command = entry.split('"').find(|part| !part.contains([':', '=']));
        let Some((_, args)) = entry.split_once("args") else {
            found.extend((command == Some(PROGRAM)).then(Vec::new));
            continue;
        };
        let list = args.find('[').and_then(|at| {
            let mut values =
                serde_json::Deserializer::from_str(&args[at..]).into_iter::<Arguments>();
            values.next()?.ok()
        });
        let list = list.unwrap_or_else(|| panic!("these are no arguments: {entry}"));
        match command {
            Some(PROGRAM | "codex") => found.push(list),
            Some("npx") => {
                found.push(list.into_iter().skip_while(|word| word != "codex").skip(1).collect());
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_program_takes_each_command_of_the_pages() {
    let home = home("http://127.0.0.1:9");
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("it is readable");
        for arguments in commands(&text) {
            // A server with nothing to read starts, and exits. Everything else is not run.
            let is_server =
                arguments.is_empty() || arguments.iter().any(|word| word == "mcp-server");
            let is_help = arguments.first().is_some_and(|word| word == "help");
            let help = (!is_server && !is_help).then_some("--help");
            let words: Vec<&str> = arguments.iter().map(String::as_str).chain(help).collect();
            let ran = cli::program(&home, &scripted_codex(), &words).output();
            let ran = Ran::from(ran.expect("the program can be started"));
            let page = page.display();
            assert_eq!(ran.status, Some(0), "{page}: {words:?}: {}", ran.stderr);
            count += 1;
        }
    }
    assert!(count >= 5, "only {count} commands were found");
}

#[test]
fn commands_are_found_in_pages() {
    let page = "Run `tail -f a | codex-persistent-mcp mcp-server --one-thread > b 2> c`, or `codex exec`.\n\
        ```sh\nclaude mcp add codex -s user -- codex -c 'a=\"b c\"' mcp-server # old\n\
        codex-persistent-mcp read out.jsonl \\\n  --last 5\ncodex-persistent-mcp mcp-server < r.json\n```\n\
        ```toml\ncommand = \"codex\"\nargs = [\"mcp-server\", \"-c\", \"a=[1]\"]\n```\n\
        ```python\nparams={\"command\": \"npx\", \"args\": [\"-y\", \"codex\", \"mcp-server\"]},\n```\n";
    let expected: [&[&str]; 5] = [
        &["-c", "a=\"b c\"", "mcp-server"],
        &["mcp-server"],
        &["mcp-server", "--one-thread"],
        &["mcp-server", "-c", "a=[1]"],
        &["read", "out.jsonl", "--last", "5"],
    ];
    let found = commands(page);
    let found: Vec<Vec<&str>> =
        found.iter().map(|words| words.iter().map(String::as_str).collect()).collect();
    assert_eq!(found, expected);
}
