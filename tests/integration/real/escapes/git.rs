//! Programs of a repository that git starts for Codex, outside the sandbox, at each turn.

use super::*;

/// Changes the repository in `project` so that git runs the mark's command for `git status`.
type Plant = fn(&Rig, &Path);

fn config(dir: &Path, key: &str, value: &str) {
    git(dir, &["config", key, value]);
}

fn filter(rig: &Rig, project: &Path) {
    config(project, "filter.x.clean", &format!("{}; cat", rig.touch()));
    write(&project.join(".gitattributes"), "* filter=x\n");
}

/// Git reads attributes from its own folder too.
fn filter_in_info(rig: &Rig, project: &Path) {
    config(project, "filter.x.clean", &format!("{}; cat", rig.touch()));
    write(&project.join(".git/info/attributes"), "* filter=x\n");
}

fn process(rig: &Rig, project: &Path) {
    config(project, "filter.x.process", &format!("{}; exit 1", rig.touch()));
    write(&project.join(".gitattributes"), "* filter=x\n");
}

/// The settings may be in another file that any turn can write.
fn included(rig: &Rig, project: &Path) {
    let file = format!("[filter \"x\"]\n\tclean = \"{}; cat\"\n", rig.touch());
    write(&project.join("settings"), &file);
    config(project, "include.path", "../settings");
    write(&project.join(".gitattributes"), "* filter=x\n");
}

/// In a partial clone git fetches what is missing, by a program that the settings name.
fn lazy_fetch(rig: &Rig, project: &Path) {
    let program = rig.project().with_file_name("upload-pack");
    super::program(&program, &rig.touch());
    config(project, "core.repositoryFormatVersion", "1");
    config(project, "extensions.partialClone", "origin");
    config(project, "remote.origin.promisor", "true");
    config(project, "remote.origin.url", &project.display().to_string());
    config(project, "remote.origin.uploadpack", &program.display().to_string());
    let head = git(project, &["rev-parse", "HEAD"]);
    let object = project.join(".git/objects").join(&head[..2]).join(&head[2..]);
    fs::remove_file(object).expect("the commit is a file of its own");
}

#[test]
fn filters_and_fetches_of_a_repository() {
    let all: [(&str, Plant); 5] = [
        ("clean", filter),
        ("info", filter_in_info),
        ("process", process),
        ("include", included),
        ("fetch", lazy_fetch),
    ];
    for release in RELEASES {
        for (name, plant) in all {
            let rig = Rig::new(release);
            let project = rig.project().join(name);
            repository(&project);
            plant(&rig, &project);
            // The index no longer shows whether the file has changed.
            let touched = || write(&project.join("file"), "two\n");
            touched();
            rig.escapes(rig.by_hand(&project), "read-only", "hello");
            touched();
            rig.is_confined(&project, "hello", |server| server);
        }
    }
}

/// Commands in the sandbox still run the user's git.
#[test]
fn commands_have_their_git() {
    for release in [Release::Newest, Release::V0_169, Release::V0_153] {
        let rig = Rig::new(release);
        repository(rig.project());
        let other = rig.project().with_file_name("other");
        repository(&other);
        git(&other, &["checkout", "-q", "-b", "another"]);
        let ask = |server: &Server| {
            let prompt = "[run git branch --show-current; git status --short]";
            let answer = server.call("codex_chat", &json!({"prompt": prompt}));
            field(&answer, "reply").to_owned()
        };
        write(&rig.project().join("new"), "");
        let branch = git(rig.project(), &["branch", "--show-current"]);
        let said = ask(&rig.server().start());
        assert!(said.contains(&branch) && said.contains("?? new"), "{release:?}: {said}");
        // So is a repository that the client names.
        let named = rig.server().env("GIT_DIR", other.join(".git")).start();
        let said = ask(&named);
        assert!(said.contains("another"), "{release:?}: {said}");
    }
}
