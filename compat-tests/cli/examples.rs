//! `packaging/examples`: every file is one that the real keepalived takes without a word, that
//! `evenkeel check` has nothing to say about, and that runs.
//!
//! An example that needs a newer keepalived than Debian's says so in its first line
//! (`# keepalived: 2.4`); that one is not shown to the real program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;

use super::cell::{Cell, run};

#[test]
fn examples_are_clean_and_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "conf"));
    assert!(files.len() >= 8, "{files:?}");
    let played = files.into_iter().map(|file| std::thread::spawn(move || play(&file)));
    let failed = played.collect::<Vec<_>>().into_iter().filter_map(|it| it.join().err()).count();
    assert_eq!(failed, 0);
}

fn play(file: &Path) {
    let cell = host();
    let name = file.file_name().unwrap().to_str().unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let conf = cell.write(name, &text);
    for host in ["lb1", "lb2"] {
        if !text.starts_with("# keepalived: 2.4\n") {
            let said = run(cell.real("keepalived").args(["-t", "-l", "-i", host, "-f", &conf]));
            assert_eq!((said.code, said.err.as_str()), (0, ""), "{name}: keepalived");
        }
        let mut check = cell.ours("evenkeel");
        let said = run(check.args(["check", "--strict", "-i", host, "-k", &conf]));
        assert_eq!(said.code, 0, "{name}: {}", said.err);
    }
    let before = addresses();
    let routers = routers(&cell, &conf);
    assert!(!routers.is_empty(), "{name}");
    let mut command = cell.ours("keepalived");
    let mut daemon = cell.daemon(command.args(["-n", "-l", "-D", "-i", "lb1", "-f", &conf]), "log");
    for router in routers {
        cell.expect("log", &format!("({router}) Entering MASTER STATE"));
    }
    assert_ne!(addresses(), before, "{name}");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends(), 0, "{name}: {}", cell.read("log"));
    assert_eq!(addresses(), before, "{name}");
}

/// What the examples are written for: two networks, IPv6, a script to notify.
fn host() -> Cell {
    let cell = Cell::with_second_network();
    let ipv6 = "address add 2001:db8::1/64 dev eth0 nodad";
    assert_eq!(run(Command::new("ip").args(ipv6.split(' '))).code, 0);
    let none = None::<&str>;
    mount(Some("tmpfs"), "/etc/keepalived", Some("tmpfs"), MsFlags::empty(), none).unwrap();
    let script = Path::new("/etc/keepalived/changed");
    std::fs::write(script, "#!/bin/sh\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(script, executable).unwrap();
    cell
}

/// The names of the instances, as the plan has them.
fn routers(cell: &Cell, conf: &str) -> Vec<String> {
    let mut plan = cell.ours("evenkeel");
    let said = run(plan.args(["plan", "--json", "-i", "lb1", "-k", conf]));
    let plan: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let routers = plan["vrrp"]["routers"].as_array().expect("routers in the plan");
    routers.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

fn addresses() -> BTreeSet<String> {
    let shown = run(Command::new("ip").args(["-o", "address", "show", "scope", "global"]));
    shown.out.lines().filter_map(|line| line.split_whitespace().nth(3)).map(str::to_owned).collect()
}
