//! Tracked files that are made, replaced, lost and spoilt: what is in them afterwards, and what both
//! daemons say.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::super::bed::daemon::{Daemon, Maker, kill};
use super::super::bed::{Bed, wait_until};
use super::PATIENCE;
use super::watched::{Watched, agree, both, by_name};

const WORDS: &[&str] =
    &["effective priority", "tracked file", "FAULT", "BACKUP STATE", "nvalid number"];

/// Files of these names in a folder of the bed, each tracked by an instance of its own.
fn config(bed: &Bed, files: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (at, (name, more)) in files.iter().enumerate() {
        write!(
            text,
            "track_file {name} {{\n    file {}\n    weight 1\n    {more}\n}}\nvrrp_instance I{at} \
             {{\n    interface eth0\n    virtual_router_id {}\n    version 3\n    advert_int 40\n    \
             virtual_ipaddress {{\n        10.1.0.{}\n    }}\n    track_file {{\n        {name}\n    \
             }}\n}}\n",
            file(bed, name).display(),
            at + 1,
            at + 1
        )
        .unwrap();
    }
    text
}

fn file(bed: &Bed, name: &str) -> PathBuf {
    bed.path("tracked").join(name)
}

/// What is in each file.
fn contents(bed: &Bed) -> BTreeMap<String, String> {
    let entries = fs::read_dir(bed.path("tracked")).unwrap().map(|it| it.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap_or_else(|error| error.kind().to_string()))
    };
    entries.map(read).collect()
}

fn initialised(maker: Maker) -> Vec<BTreeMap<String, String>> {
    let files = [
        ("plain", "init_file"),
        ("kept", "init_file 5"),
        ("made", "init_file 5"),
        ("over", "init_file overwrite 6"),
        ("new", "init_file 7 overwrite"),
        ("link", "init_file 4"),
        ("negative", "init_file -3"),
        ("twice", "init_file 12 13"),
        ("plus", "init_file +4"),
        ("no-folder/x", "init_file 2"),
        ("nothing", ""),
        ("folder", "init_file 3 overwrite"),
        ("followed", "init_file 3 overwrite"),
    ];
    let bed = Bed::new(1);
    fs::create_dir(bed.path("tracked")).unwrap();
    fs::write(file(&bed, "kept"), "9\n").unwrap();
    fs::write(file(&bed, "over"), "9\n").unwrap();
    std::os::unix::fs::symlink("target", file(&bed, "link")).unwrap();
    fs::create_dir(file(&bed, "folder")).unwrap();
    std::os::unix::fs::symlink("kept", file(&bed, "followed")).unwrap();
    let mut text = config(&bed, &files);
    write!(
        text,
        "track_file unused {{\n    file {}\n    init_file 3\n}}\n",
        file(&bed, "unused").display()
    )
    .unwrap();
    let daemon = Daemon::start(&bed, &bed.hosts[0], maker, &text);
    let mut it = Watched::begun(&bed, daemon, WORDS, "(I7) Changing effective priority");
    let mut seen = vec![contents(&bed)];
    for name in seen[0].keys().filter(|it| *it != "folder") {
        fs::write(file(&bed, name), "1\n").unwrap();
    }
    fs::remove_file(file(&bed, "plain")).unwrap();
    fs::remove_file(file(&bed, "new")).unwrap();
    it.settle();
    seen.push(contents(&bed));
    // A reload makes what is missing, and overwrites nothing.
    it.daemon.reconfigure(&text.replace("init_file 5", "init_file 15"));
    it.daemon.signal("HUP");
    wait_until("reloaded", PATIENCE, || it.daemon.log().matches("Reload").count() > 1);
    it.settle();
    seen.push(contents(&bed));
    if maker == Maker::Evenkeel {
        // Nor does the process that follows one that died. (The real one's does.)
        let role = it.daemon.vrrp_pid();
        kill("KILL", role as i32);
        wait_until("another role", PATIENCE, || it.daemon.vrrp_pid() != role);
        it.settle();
        assert_eq!(&contents(&bed), seen.last().unwrap());
    }
    seen
}

/// `init_file`
#[test]
fn files_are_initialised_as_keepalived_does_it() {
    let [evenkeel, debian] = both(initialised);
    assert_eq!(evenkeel, debian);
    assert_eq!((&*evenkeel[0]["over"], &*evenkeel[0]["kept"]), ("6\n", "9\n"));
    assert_eq!((&*evenkeel[2]["over"], &*evenkeel[2]["new"]), ("1\n", "7\n"));
}

fn spoilt(maker: Maker) -> BTreeMap<String, Vec<String>> {
    let bed = Bed::new(1);
    let folder = bed.path("tracked");
    fs::create_dir(&folder).unwrap();
    for name in ["plain", "linked", "renamed"] {
        fs::write(file(&bed, name), "5\n").unwrap();
    }
    fs::create_dir(bed.path("elsewhere")).unwrap();
    fs::write(bed.path("elsewhere/a"), "3\n").unwrap();
    fs::write(bed.path("elsewhere/b"), "4\n").unwrap();
    let link = |to: &str| {
        let new = bed.path("new-link");
        std::os::unix::fs::symlink(bed.path("elsewhere").join(to), &new).unwrap();
        fs::rename(new, file(&bed, "link")).unwrap();
    };
    link("a");
    let files = [("plain", ""), ("link", ""), ("renamed", ""), ("later", "")];
    let daemon = Daemon::start(&bed, &bed.hosts[0], maker, &config(&bed, &files));
    let mut it = Watched::begun(&bed, daemon, WORDS, "(I2) Changing effective priority");
    let plain = |text: &'static str| move |bed: &Bed| fs::write(file(bed, "plain"), text).unwrap();
    it.until("(I0) Changing", plain("6\n"));
    it.until("(I0) Changing", plain("garbage\n"));
    it.until("(I0) Changing", plain("7 8 9\n"));
    it.until("nvalid number", plain("99999999999999999999\n"));
    it.until("(I0) Changing", plain("-7\n"));
    it.until("(I0) Changing", |bed| fs::remove_file(file(bed, "plain")).unwrap());
    it.until("(I0) Changing", plain("11"));
    // Another file in its place, and out of its place.
    it.until("(I2) Changing", |bed| {
        fs::write(bed.path("new"), "8\n").unwrap();
        fs::rename(bed.path("new"), file(bed, "renamed")).unwrap();
    });
    it.until("(I2) Changing", |bed| {
        fs::rename(file(bed, "renamed"), bed.path("gone")).unwrap();
    });
    it.until("(I3) Changing", |bed| fs::write(file(bed, "later"), "2\n").unwrap());
    it.until("(I3) Changing", |bed| {
        fs::remove_file(file(bed, "later")).unwrap();
        fs::create_dir(file(bed, "later")).unwrap();
    });
    // -254 and beyond: a fault, and no longer one.
    it.until("(I0) Entering FAULT", plain("-254\n"));
    it.until("(I0) Entering BACKUP", plain("1\n"));
    let faults = it.told();
    // Through a link: the real one watches only the folder that the link is in.
    if maker == Maker::Evenkeel {
        it.until("(I1) Changing", |bed| fs::write(bed.path("elsewhere/a"), "30\n").unwrap());
        it.until("(I1) Changing", |_| link("b"));
    }
    by_name(faults)
}

#[test]
fn files_come_go_and_are_spoilt() {
    let [evenkeel, debian] = both(spoilt);
    agree(&evenkeel, &debian);
    assert_eq!(debian.len(), 4, "{debian:?}");
}
