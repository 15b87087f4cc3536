//! An npm registry on loopback, which has the packages of some tarballs.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use super::model::http;

/// A registry, which serves until the process ends.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
}

struct Package {
    manifest: Value,
    tarball: Vec<u8>,
}

impl Registry {
    /// Serves all tarballs in a folder. A platform package that a package names as optional, and that is not there, has
    /// an entry without content: as on a registry with all of them, npm skips it for its platform.
    pub fn start(tarballs: &Path) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let packages = Arc::new(packages(tarballs));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let packages = Arc::clone(&packages);
                thread::spawn(move || answer(&stream, address, &packages));
            }
        });
        Self { address }
    }

    /// The value for `npm_config_registry`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

fn packages(tarballs: &Path) -> BTreeMap<String, Package> {
    let mut packages = BTreeMap::new();
    for entry in fs::read_dir(tarballs).expect("the packages are there").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|it| it == "tgz") {
            let manifest = manifest(&path);
            let tarball = fs::read(&path).expect("readable");
            packages.insert(text(&manifest, "name"), Package { manifest, tarball });
        }
    }
    let all = packages.values().flat_map(|it| it.manifest["optionalDependencies"].as_object());
    let missing: Vec<(String, Value)> = all
        .flatten()
        .filter(|(name, _)| !packages.contains_key(*name))
        .map(|(name, version)| {
            let mut words = name.rsplit('-');
            let (cpu, os) = (words.next(), words.next());
            (name.clone(), json!({"name": name, "version": version, "cpu": [cpu], "os": [os]}))
        })
        .collect();
    for (name, manifest) in missing {
        packages.insert(name, Package { manifest, tarball: Vec::new() });
    }
    packages
}

/// The `package.json` in a tarball.
fn manifest(tarball: &Path) -> Value {
    let output = Command::new("tar")
        .arg("-xzOf")
        .arg(tarball)
        .arg("package/package.json")
        .output()
        .expect("tar is installed");
    serde_json::from_slice(&output.stdout).expect("a package has a manifest")
}

fn text(manifest: &Value, name: &str) -> String {
    manifest[name].as_str().expect("a manifest has it").to_owned()
}

/// Answers one request: for a package, or for its tarball.
fn answer(mut stream: &TcpStream, address: SocketAddr, packages: &BTreeMap<String, Package>) {
    let Ok(request) = http::read(stream) else { return };
    let path = request.path.trim_start_matches('/');
    let (name, is_tarball) = match path.split_once("/-/") {
        Some((name, _)) => (name, true),
        None => (path, false),
    };
    let written = match packages.get(name) {
        None => http::write_json(stream, 404, &[], &json!({"error": "not found"})),
        Some(package) if is_tarball => {
            let length = package.tarball.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&package.tarball))
        }
        Some(package) => {
            let version = text(&package.manifest, "version");
            let mut manifest = package.manifest.clone();
            let tarball = format!("http://{address}/{name}/-/{name}-{version}.tgz");
            manifest["dist"] = json!({"tarball": tarball});
            let all = json!({
                "name": name,
                "dist-tags": {"latest": version},
                "versions": {&version: manifest},
            });
            http::write_json(stream, 200, &[], &all)
        }
    };
    // npm may leave before it has read everything.
    drop(written);
}
