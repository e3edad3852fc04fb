//! Imports go downward only: the `use crate::` lines of every file against the layers of
//! `src/lib.rs`'s map.

use std::path::{Path, PathBuf};

/// Top-level modules by layer, lowest first (`../shared/DESIGN.md`, "Layers").
const LAYERS: [&[&str]; 9] = [
    &["text", "kernel"],
    &["plan", "directive", "host", "tls"],
    &["keepalived", "nginx", "native"],
    &["load"],
    &["vrrp", "guard", "bfd", "health", "proxy", "agentx"],
    &["status"],
    &["runtime"],
    &["lab"],
    &["cli"],
];

/// Imports inside a layer that are meant, each with its reason.
const ALLOWED: [(&str, &str); 2] = [
    // A host resolves users into the plan's type.
    ("host", "plan"),
    // A context is made of the plan's settings.
    ("tls", "plan"),
];

/// Imports that the design forbids though they go downward.
const FORBIDDEN: [(&str, &str); 3] =
    [("runtime", "keepalived"), ("runtime", "nginx"), ("runtime", "load")];

#[test]
fn imports_go_downward_only() {
    let wrong: Vec<String> = sources().iter().flat_map(|file| wrong_imports(file)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_stands_on_the_map() {
    let map = std::fs::read_to_string("src/lib.rs").unwrap();
    for entry in std::fs::read_dir("src").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "lib" || name == "main" {
            continue;
        }
        assert!(layer(&name).is_some(), "{name} has no layer");
        assert!(map.contains(&format!("pub mod {name};")), "{name} is not in src/lib.rs");
    }
}

#[test]
fn a_wrong_import_is_noticed() {
    assert!(judge("text", "plan").is_err());
    assert!(judge("vrrp", "proxy").is_err());
    assert!(judge("runtime", "load").is_err());
    assert!(judge("runtime", "vrrp").is_ok());
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn judge(from: &str, to: &str) -> Result<(), &'static str> {
    let (Some(above), Some(below)) = (layer(from), layer(to)) else { return Err("no such layer") };
    if from == to || ALLOWED.contains(&(from, to)) {
        return Ok(());
    }
    if FORBIDDEN.contains(&(from, to)) {
        return Err("forbidden by the design");
    }
    if below < above { Ok(()) } else { Err("goes up or sideways") }
}

fn wrong_imports(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let module = file.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    let module = module.trim_end_matches(".rs");
    if module == "lib" || module == "main" {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for part in code.split("crate::").skip(1) {
            let to: String =
                part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if let Err(why) = judge(module, &to) {
                wrong.push(format!("{}:{}: {module} → {to}: {why}", file.display(), at + 1));
            }
        }
        assert!(!code.contains("use crate::{"), "{}: name one module a line", file.display());
    }
    wrong
}

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
