//! Every kind of thing that can be tracked, with every kind of weight, by instances and by sync
//! groups: what it makes of priorities and states, beside the real keepalived.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::bed::daemon::{Daemon, Maker};
use super::super::bed::{Bed, Host};
use super::watched::{Watched, agree, both, by_name};

const WORDS: &[&str] =
    &["effective priority", "tracked file", "FAULT", "BACKUP STATE", "ignoring tracked", "weight"];
/// What may stand behind the name of what is tracked.
const LINES: [&str; 9] = [
    "",
    "weight 0",
    "weight 0 reverse",
    "weight 10",
    "weight -10",
    "weight 10 reverse",
    "weight -10 reverse",
    "weight 253",
    "weight -253",
];
const KINDS: [(&str, &str); 4] = [
    ("track_script", "s"),
    ("track_interface", "t1"),
    ("track_file", "f"),
    // It needs the first network namespace to see any; none is a count, too.
    ("track_process", "p"),
];

/// Instances `I1`, `I2`, …, which wait for so long that they never become master.
#[derive(Default)]
struct Config {
    text: String,
    count: usize,
}

impl Config {
    fn instance(&mut self, priority: u8, more: &str) -> usize {
        self.count += 1;
        let vrid = self.count;
        write!(
            self.text,
            "vrrp_instance I{vrid} {{\n    interface eth0\n    virtual_router_id {vrid}\n    \
             priority {priority}\n    version 3\n    advert_int 40\n    virtual_ipaddress {{\n        \
             10.1.0.{vrid}\n    }}\n{more}}}\n"
        )
        .unwrap();
        vrid
    }

    /// Two instances; the lines stand in the first, or in the group.
    fn group(&mut self, own: &str, more: &str) {
        let first = self.instance(100, own);
        let second = self.instance(100, "");
        write!(
            self.text,
            "vrrp_sync_group G{first} {{\n    group {{\n        I{first}\n        I{second}\n    \
             }}\n{more}}}\n"
        )
        .unwrap();
    }
}

fn block(keyword: &str, name: &str, line: &str) -> String {
    format!("    {keyword} {{\n        {name} {line}\n    }}\n")
}

fn config(bed: &Bed) -> String {
    let script = bed.script("check", &format!("exit $(cat {})", bed.path("exit").display()));
    let mut config = Config::default();
    write!(
        config.text,
        "global_defs {{\n    script_user root\n}}\nvrrp_script s {{\n    script {}\n    interval \
         1\n    weight 7\n}}\ntrack_file f {{\n    file {}\n    weight 3\n}}\nvrrp_track_process p \
         {{\n    process nosuchprocess\n    weight -5\n}}\n",
        script.display(),
        bed.path("value").display()
    )
    .unwrap();
    for (keyword, name) in KINDS {
        for line in LINES {
            config.instance(100, &block(keyword, name, line));
        }
        // At the edges, and beyond.
        for priority in [1, 5, 250, 254, 255] {
            config.instance(priority, &block(keyword, name, "weight 10"));
            config.instance(priority, &block(keyword, name, "weight -10"));
        }
        let weighs = "    sync_group_tracking_weight\n";
        for line in ["", "weight 0", "weight -10 reverse"] {
            let block = block(keyword, name, line);
            config.group("", &block);
            config.group(&block, "");
            config.group(&block, weighs);
        }
    }
    // Several at once add up.
    let several = [("track_script", "s weight 20"), ("track_interface", "t1 weight -30")];
    let mut blocks = String::new();
    for (keyword, line) in several.into_iter().chain([("track_file", "f weight 2")]) {
        blocks.push_str(&block(keyword, line, ""));
    }
    config.instance(100, &blocks);
    config.group("", &blocks);
    config.text
}

fn watch(maker: Maker) -> BTreeMap<String, Vec<String>> {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    host.ip("link add t1 type veth peer name t1p");
    host.ip("link set t1p up");
    host.ip("link set t1 up");
    std::fs::write(bed.path("exit"), "0").unwrap();
    std::fs::write(bed.path("value"), "0").unwrap();
    let daemon = Daemon::start(&bed, host, maker, &config(&bed));
    let mut it = Watched::begun(&bed, daemon, WORDS, "(I1) Changing effective priority");
    // In one step: what reads it must not see it empty.
    let write = |name: &'static str, text: &'static str| {
        move |bed: &Bed| {
            std::fs::write(bed.path("new"), text).unwrap();
            std::fs::rename(bed.path("new"), bed.path(name)).unwrap();
        }
    };
    let cable =
        |to: &'static str| move |bed: &Bed| Host::ip(&bed.hosts[0], &format!("link set t1p {to}"));
    it.until("(I1) Changing", write("exit", "1"));
    it.until("(I41) Changing", cable("down"));
    for value in ["1", "-2", "84", "-85", "-1", "0"] {
        it.until("effective priority", write("value", value));
    }
    it.until("(I41) Changing", cable("up"));
    it.until("(I1) Changing", write("exit", "0"));
    by_name(it.told())
}

#[test]
fn whatever_is_tracked_weighs_what_it_weighs_for_keepalived() {
    let [evenkeel, debian] = both(watch);
    agree(&evenkeel, &debian);
    assert!(debian.len() > 100, "{}", debian.len());
}
