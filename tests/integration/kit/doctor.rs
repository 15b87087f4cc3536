//! Reading the report of `doctor --json`.

use serde_json::Value;

/// The check of this name.
pub fn check<'a>(report: &'a Value, id: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("a list");
    let found = checks.iter().find(|check| check["id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {report:#}"))
}

pub fn text<'a>(check: &'a Value, name: &str) -> &'a str {
    check[name].as_str().unwrap_or_else(|| panic!("no text {name} in {check}"))
}
