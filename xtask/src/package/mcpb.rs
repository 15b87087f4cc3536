//! MCP bundles, which desktop clients such as Claude Desktop install with a click and ask for settings.
//!
//! A bundle says for which systems it is, but not for which processors, so there is one for each target.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{Failure, Target, archive, copy, copy_program};
use crate::{command, repository, version};

const MANIFEST: &str = "packaging/mcpb/manifest.json";

const PACKER: &str = "tests/packages/node_modules/.bin/mcpb";

/// Packs each program into a bundle, and returns the bundles.
///
/// # Errors
/// If a file cannot be copied, or the packer is missing or refuses the manifest.
pub fn pack(programs: &[(Target, PathBuf)], out: &Path) -> Result<Vec<PathBuf>, Failure> {
    let packer = repository::path(PACKER);
    if !packer.exists() {
        return Err(format!("{PACKER} is missing. Run npm ci --prefix tests/packages."));
    }
    let version = version::current()?;
    let mut packed = Vec::new();
    for (target, program) in programs {
        let staging = out.join("mcpb").join(target.triple);
        let _none_yet = fs::remove_dir_all(&staging);
        copy_program(program, &staging.join("server").join(target.program()))?;
        copy(&repository::path("LICENSE"), &staging.join("LICENSE"))?;
        copy(&repository::path("README.md"), &staging.join("README.md"))?;
        let manifest = serde_json::to_string_pretty(&manifest(&version, *target)?);
        let manifest = manifest.map_err(|error| error.to_string())?;
        fs::write(staging.join("manifest.json"), manifest + "\n")
            .map_err(|error| error.to_string())?;
        let bundle = out.join(name(&version, *target));
        command::run(
            Command::new(&packer).arg("pack").arg(".").arg(&bundle).current_dir(&staging),
        )?;
        packed.push(bundle);
    }
    fs::remove_dir_all(out.join("mcpb")).map_err(|error| error.to_string())?;
    Ok(packed)
}

/// The file name of a bundle.
pub fn name(version: &str, target: Target) -> String {
    format!("{}.mcpb", archive::stem(version, target))
}

fn manifest(version: &str, target: Target) -> Result<Value, Failure> {
    let text = repository::read(MANIFEST)?;
    let mut manifest: Value =
        serde_json::from_str(&text).map_err(|error| format!("{MANIFEST}: {error}"))?;
    let address = repository::address()?;
    manifest["version"] = version.into();
    manifest["license"] = "MIT".into();
    manifest["repository"] = json!({"type": "git", "url": format!("{address}.git")});
    manifest["homepage"] = address.clone().into();
    manifest["documentation"] = format!("{address}/tree/main/docs").into();
    manifest["support"] = format!("{address}/issues").into();
    manifest["author"]["url"] = address.into();
    manifest["compatibility"]["platforms"] = json!([target.node_os]);
    let program = format!("server/{}", target.program());
    manifest["server"]["mcp_config"]["command"] = format!("${{__dirname}}/{program}").into();
    manifest["server"]["entry_point"] = program.into();
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::super::settings::documented_default;
    use super::*;

    #[test]
    fn each_question_sets_a_variable_and_has_its_default() {
        let manifest = manifest("1.2.3", Target::PACKAGED[0]).expect("it is valid");
        let variables = manifest["server"]["mcp_config"]["env"].as_object().expect("it has some");
        let questions = manifest["user_config"].as_object().expect("it has some");
        assert_eq!(variables.len(), questions.len());
        for (variable, value) in variables {
            let value = value.as_str().expect("it is text");
            let question = value.strip_prefix("${user_config.").and_then(|it| it.strip_suffix('}'));
            let question = &questions[question.expect("it is a question")];
            let documented = documented_default(variable);
            // The folder depends on the client, which starts the server wherever it likes.
            if variable != "CODEX_MCP_CWD" {
                let default = &question["default"];
                let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
                assert_eq!(default, documented, "{variable}");
            }
        }
    }

    #[test]
    fn a_bundle_names_its_system_and_program() {
        for target in Target::PACKAGED {
            let manifest = manifest("1.2.3", target).expect("it is valid");
            assert_eq!(manifest["compatibility"]["platforms"], json!([target.node_os]));
            let entry = manifest["server"]["entry_point"].as_str().expect("it is text");
            assert_eq!(entry, format!("server/{}", target.program()));
            let command = &manifest["server"]["mcp_config"]["command"];
            assert_eq!(command, &json!(format!("${{__dirname}}/{entry}")));
        }
    }
}
