//! `vrrp_track_process`: processes that begin, fork and end, counted by the real keepalived and by
//! Evenkeel, both told of them by the kernel, and by Evenkeel in a network namespace, where the
//! kernel tells nobody and keepalived sees none.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::super::bed::Bed;
use super::super::bed::daemon::{Daemon, Maker};
use super::watched::{Watched, agree, by_name};

const WORDS: &[&str] = &["effective priority", "uorum", "FAULT", "BACKUP STATE"];

/// Where a daemon runs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Outside,
    Namespace,
}

/// A program that nobody else runs: a copy of `sleep` or `perl`.
fn program(bed: &Bed, of: &str, maker: Maker, place: Place) -> PathBuf {
    let kind = of.rsplit('/').next().unwrap().get(..1).unwrap();
    let who = maker as u8 + 2 * place as u8;
    let path = bed.path(&format!("tk{}{kind}{who}", std::process::id()));
    std::fs::copy(of, &path).unwrap();
    path
}

/// Each process with an instance that tracks it.
fn config(interface: &str, processes: &[(String, &str, &str)]) -> String {
    let mut text = String::new();
    for (at, (process, more, line)) in processes.iter().enumerate() {
        let vrid = at + 1;
        write!(
            text,
            "vrrp_track_process p{at} {{\n    process {process}\n    {more}\n}}\nvrrp_instance I{at} \
             {{\n    interface {interface}\n    virtual_router_id {vrid}\n    version 3\n    \
             advert_int 40\n    virtual_ipaddress {{\n        10.1.0.{vrid}\n    }}\n    \
             track_process {{\n        p{at} {line}\n    }}\n}}\n"
        )
        .unwrap();
    }
    text
}

struct Sleeper(Child);

impl Sleeper {
    fn start(program: &PathBuf, words: &[&str]) -> Sleeper {
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Sleeper(command.spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn watch(maker: Maker, place: Place) -> BTreeMap<String, Vec<String>> {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let program = |of| program(&bed, of, maker, place);
    let (sleep, perl) = (program("/bin/sleep"), program("/usr/bin/perl"));
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let (named, path) = (name(&sleep), sleep.display().to_string());
    let of = |words: &str| format!("{path} {words}");
    let processes = [
        (named.clone(), "", "weight 10"),
        (named.clone(), "", "weight -10"),
        (named.clone(), "", "weight 10 reverse"),
        (named.clone(), "", "weight 0"),
        (named.clone(), "weight -20 reverse", ""),
        (named.clone(), "quorum 2", "weight 10"),
        (named.clone(), "quorum_max 1", "weight 10"),
        (named.clone(), "quorum_max 0", "weight 10"),
        (named.clone(), "quorum 2\n    quorum_max 2", "weight 10"),
        (named.clone(), "terminate_delay 1", "weight 10"),
        (path.clone(), "", "weight 10"),
        (path.clone(), "full_command", "weight 10"),
        (of("1000"), "", "weight 10"),
        (of("1000"), "param_match initial", "weight 10"),
        (of("1000"), "param_match partial", "weight 10"),
        (of("1000 2000"), "full_command", "weight 10"),
        (name(&perl), "quorum_max 1\n    fork_delay 0.5\n    terminate_delay 0.3", "weight 10"),
    ];
    let daemon = match place {
        Place::Namespace => Daemon::start(&bed, host, maker, &config("eth0", &processes)),
        Place::Outside => {
            // An interface of its own, which goes with the namespace that its other end is in.
            let mut all = format!("tk{}{}", std::process::id(), maker as u8);
            all.truncate(15);
            let namespace = host.namespace();
            let ip = |words: &str| {
                let status = Command::new("ip").args(words.split(' ')).status().unwrap();
                assert!(status.success(), "ip {words}");
            };
            ip(&format!("link add {all} type veth peer name outside netns {namespace}"));
            ip(&format!("link set {all} up"));
            host.ip("link set outside up");
            ip(&format!("addr add 192.168.219.{}/32 dev {all}", 1 + maker as u8));
            Daemon::start_outside(&bed, maker, &config(&all, &processes))
        }
    };
    let mut it = Watched::begun(&bed, daemon, WORDS, "(I0) Entering BACKUP");
    let mut step = |act: &mut dyn FnMut()| {
        act();
        // Looks are half a second apart.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        it.settle();
    };
    let mut running = Vec::new();
    for words in [&["1000"][..], &["1000", "2000"], &["10000"]] {
        step(&mut || running.push(Sleeper::start(&sleep, words)));
    }
    while !running.is_empty() {
        step(&mut || _ = running.remove(0));
    }
    // Gone and back within its delay.
    step(&mut || running.push(Sleeper::start(&sleep, &["1000"])));
    step(&mut || {
        running.clear();
        running.push(Sleeper::start(&sleep, &["1000"]));
    });
    let forks = "<STDIN>; if (fork) { wait; <STDIN> } else { sleep 3 }";
    let mut forker = None;
    step(&mut || forker = Some(Sleeper::start(&perl, &["-e", forks])));
    step(&mut || forker.as_mut().unwrap().0.stdin.as_mut().unwrap().write_all(b"\n").unwrap());
    step(&mut || std::thread::sleep(std::time::Duration::from_secs(2)));
    by_name(it.told())
}

#[test]
fn processes_are_counted() {
    let places = [
        (Maker::Debian, Place::Outside),
        (Maker::Evenkeel, Place::Outside),
        (Maker::Evenkeel, Place::Namespace),
    ];
    let [debian, outside, inside] = std::thread::scope(|scope| {
        places
            .map(|(maker, place)| scope.spawn(move || watch(maker, place)))
            .map(|it| it.join().unwrap())
    });
    agree(&outside, &debian);
    agree(&inside, &debian);
    assert!(debian.len() >= 17, "{debian:#?}");
}
