//! Track scripts through reloads: what is kept, what changes, and what both daemons say of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::super::bed::daemon::{Daemon, Maker};
use super::super::bed::{Bed, wait_until};
use super::PATIENCE;
use super::watched::{Watched, agree, both, by_name};

const WORDS: &[&str] = &[
    "effective priority",
    "FAULT",
    "BACKUP STATE",
    "considered",
    "Script `",
    "VRRP_Script(",
    "is not used",
    "not found, ignoring",
    "tracked file",
];

/// What a generation of the config has of each script, and of each instance's lines.
struct Generation {
    scripts: &'static [(&'static str, &'static str)],
    instances: &'static [(&'static str, &'static str)],
}

/// Scripts end as their names say: `bad…` with 1, others with 0.
const BEFORE: Generation = Generation {
    scripts: &[
        ("bad", ""),
        ("good", ""),
        ("bad_heavier", ""),
        ("bad_lighter", "weight -10"),
        ("bad_renamed", "weight -7"),
        ("bad_slower", "weight -9\n    interval 1"),
        ("bad_removed", ""),
        ("bad_removed_weighted", "weight -30"),
        ("good_fall", "weight 5\n    fall 3"),
        ("text", "weight 11"),
    ],
    instances: &[
        ("same", "bad"),
        ("same_good", "good"),
        ("weighted", "bad weight -10"),
        ("added", ""),
        ("added_good", ""),
        ("added_new", ""),
        ("added_new_good", ""),
        ("added_init_fail", ""),
        ("removed", "bad"),
        ("removed_weighted", "bad weight -10"),
        ("to_weight", "bad"),
        ("from_weight", "bad weight -10"),
        ("script_to_weight", "bad_heavier"),
        ("script_from_weight", "bad_lighter"),
        ("renamed", "bad_renamed"),
        ("slower", "bad_slower"),
        ("definition_removed", "bad_removed"),
        ("definition_removed_weighted", "bad_removed_weighted"),
        ("fall", "good_fall"),
        ("other_text", "text"),
        ("two", "bad weight -10\n        good weight 3"),
        ("reversed", "good weight 4"),
    ],
};

const AFTER: Generation = Generation {
    scripts: &[
        ("bad", ""),
        ("good", ""),
        ("bad_heavier", "weight -10"),
        ("bad_lighter", ""),
        ("bad_other_name", "weight -7"),
        ("bad_slower", "weight -9\n    interval 2"),
        ("good_fall", "weight 5\n    fall 1"),
        ("text", "weight 11\n    timeout 3"),
        ("bad_new", ""),
        ("good_new", ""),
        ("bad_init_fail", "init_fail"),
    ],
    instances: &[
        ("same", "bad"),
        ("same_good", "good"),
        ("weighted", "bad weight -10"),
        ("added", "bad"),
        ("added_good", "good"),
        ("added_new", "bad_new"),
        ("added_new_good", "good_new"),
        ("added_init_fail", "bad_init_fail"),
        ("removed", ""),
        ("removed_weighted", ""),
        ("to_weight", "bad weight -10"),
        ("from_weight", "bad weight 0"),
        ("script_to_weight", "bad_heavier"),
        ("script_from_weight", "bad_lighter"),
        ("renamed", "bad_other_name"),
        ("slower", "bad_slower"),
        ("definition_removed", "bad_removed"),
        ("definition_removed_weighted", "bad_removed_weighted"),
        ("fall", "good_fall"),
        ("other_text", "text"),
        ("two", "bad weight -12\n        good weight 3"),
        ("reversed", "good weight 4 reverse"),
    ],
};

impl Generation {
    fn config(&self, bed: &Bed, second: bool) -> String {
        let mut text = "global_defs {\n    script_user root\n}\n".to_owned();
        for (name, more) in self.scripts {
            let bad = name.starts_with("bad") || (*name == "text" && second);
            let command = bed.script(
                &format!("{name}-{}", u8::from(bad)),
                if bad { "exit 1" } else { "exit 0" },
            );
            let command = command.display();
            write!(text, "vrrp_script {name} {{\n    script {command}\n    {more}\n}}\n").unwrap();
        }
        for (at, (name, lines)) in self.instances.iter().enumerate() {
            let vrid = at + 1;
            let block = match lines.is_empty() {
                true => String::new(),
                false => format!("    track_script {{\n        {lines}\n    }}\n"),
            };
            write!(
                text,
                "vrrp_instance {name} {{\n    interface eth0\n    virtual_router_id {vrid}\n    \
                 version 3\n    advert_int 40\n    virtual_ipaddress {{\n        10.1.0.{vrid}\n    \
                 }}\n{block}}}\n"
            )
            .unwrap();
        }
        text
    }
}

fn reloaded(maker: Maker) -> BTreeMap<String, Vec<String>> {
    let bed = Bed::new(1);
    let (before, after) = (BEFORE.config(&bed, false), AFTER.config(&bed, true));
    let daemon = Daemon::start(&bed, &bed.hosts[0], maker, &before);
    let mut it = Watched::begun(&bed, daemon, WORDS, "(other_text) Changing");
    // Runs are a second apart, and up to three make a result.
    let runs = Duration::from_millis(2300);
    std::thread::sleep(runs);
    for (turn, text) in [&after, &after, &before].into_iter().enumerate() {
        it.daemon.reconfigure(text);
        it.daemon.signal("HUP");
        let log = || it.daemon.log().matches("Reload complete").count();
        wait_until("reloaded", PATIENCE, || log() > turn);
        std::thread::sleep(runs);
        it.settle();
    }
    by_name(it.told())
}

#[test]
fn scripts_go_through_reloads_as_they_do_with_keepalived() {
    let [mut evenkeel, mut debian] = both(reloaded);
    // By a reload the real one weighs a script as if it had no `reverse`, until it ends otherwise.
    let ours = evenkeel.remove("reversed").unwrap();
    assert!(ours[2].ends_with("from 100 to 96") && debian.remove("reversed").is_some(), "{ours:?}");
    // Which of two scripts ends first is chance.
    for all in [&mut evenkeel, &mut debian] {
        all.get_mut("two").unwrap().drain(..3);
    }
    agree(&evenkeel, &debian);
    assert!(debian.len() > 30, "{debian:#?}");
}

/// Lines about scripts, whoever they belong to.
const COMPLAINTS: &[&str] = &[
    "cannot be accessed",
    "Cannot find script",
    "Disabling track script",
    "Unsafe permissions",
    "Wrong file type",
    "is not executable",
    "resolved by path search",
    "SECURITY VIOLATION",
    "Script user",
    "Script group",
    "Unable to set",
    "not found, ignoring",
    "is not used",
    "Error setting global",
    "VRRP_Script(",
];

/// Scripts of all kinds that people name, each tracked by an instance.
fn dubious(bed: &Bed, globals: &str) -> String {
    let folder = bed.path("dubious");
    let path = |name: &str| folder.join(name).display().to_string();
    let mut text = format!("global_defs {{\n{globals}}}\n");
    let named = ["good", "not-executable", "own", "writable", "open/x", "private/x", "linked"];
    let mut commands: Vec<(String, &str)> = named.map(|it| (path(it), "")).into();
    commands.extend([
        (path("nowhere"), ""),
        (path("good/x"), ""),
        // To others than root the real one "runs" a folder, and that succeeds.
        (path("open"), "user root"),
        (path("good") + " 'two words' \\\"x\\\"" + " 3", ""),
        // For others the real one finds nothing: it can't become them twice.
        ("true".to_owned(), "user root"),
        ("nosuchcommand x".to_owned(), "user root"),
        ("/bin/true".to_owned(), "user nosuchuser"),
        ("/bin/true".to_owned(), "user nobody nosuchgroup"),
        (path("own"), "user nobody"),
        (path("private/x"), "user nobody"),
        (path("good"), "user nobody nogroup"),
    ]);
    for (at, (command, more)) in commands.iter().enumerate() {
        let vrid = at + 1;
        write!(
            text,
            "vrrp_script s{at} {{\n    script \"{command}\"\n    {more}\n}}\nvrrp_instance I{at} {{\n    \
             interface eth0\n    virtual_router_id {vrid}\n    version 3\n    advert_int 40\n    \
             virtual_ipaddress {{\n        10.1.0.{vrid}\n    }}\n    track_script {{\n        s{at}\n    \
             }}\n}}\n"
        )
        .unwrap();
    }
    text + "vrrp_script nobodys {\n    script /bin/true\n}\n"
}

fn permissions(bed: &Bed) {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = bed.path("dubious");
    let set = |path: &std::path::Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    set(bed.folder.path(), 0o755);
    for (name, mode) in [("", 0o755), ("open", 0o777), ("private", 0o700)] {
        fs::create_dir(folder.join(name)).unwrap();
        set(&folder.join(name), mode);
    }
    for (name, mode) in [
        ("good", 0o755),
        ("not-executable", 0o644),
        ("own", 0o700),
        ("writable", 0o757),
        ("open/x", 0o755),
        ("private/x", 0o755),
    ] {
        fs::write(folder.join(name), "#!/bin/sh\nexit 0\n").unwrap();
        set(&folder.join(name), mode);
    }
    symlink("good", folder.join("linked")).unwrap();
}

fn complaints(maker: Maker) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let secure = "    enable_script_security\n";
    for globals in [
        String::new(),
        "    script_user root\n".to_owned(),
        secure.to_owned(),
        format!("{secure}    script_user root\n"),
        format!("{secure}    script_user nosuchuser\n"),
        format!("{secure}    script_user nobody\n"),
    ] {
        let bed = Bed::new(1);
        permissions(&bed);
        let daemon = Daemon::start(&bed, &bed.hosts[0], maker, &dubious(&bed, &globals));
        // The last script: its user's may always run it.
        let it = Watched::begun(&bed, daemon, COMPLAINTS, "VRRP_Script(s17) succeeded");
        let folder = bed.folder.path().display().to_string();
        let mut told = it.told();
        told.iter_mut().for_each(|line| *line = line.replace(&folder, "DIR"));
        // Some are told while the file is read, others when all of it is.
        told.sort();
        all.push(told);
    }
    all
}

/// Which scripts run, and what is said of the others.
#[test]
fn scripts_are_refused_as_keepalived_does_it() {
    let [evenkeel, debian] = both(complaints);
    for (ours, theirs) in evenkeel.iter().zip(&debian) {
        let missing: Vec<_> = theirs.iter().filter(|it| !ours.contains(it)).collect();
        let more: Vec<_> = ours.iter().filter(|it| !theirs.contains(it)).collect();
        assert!(missing.is_empty() && more.is_empty(), "-{missing:#?}\n+{more:#?}");
    }
    assert!(debian.iter().all(|it| it.len() > 15), "{debian:#?}");
}

/// What a script finds: its arguments, environment, folder, umask, user, signals, input.
fn surroundings(maker: Maker) -> BTreeMap<String, String> {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::new(1);
    let out = bed.path("out");
    std::fs::create_dir(&out).unwrap();
    for (folder, mode) in [(bed.folder.path(), 0o755), (&out, 0o777)] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let shown = out.display();
    let look = bed.script(
        "look",
        &format!(
            "{{ printf '[%s]' \"$@\"; echo; env | grep -v '^_=\\|^SHLVL=\\|PWD=' | sort; pwd; umask; id\n\
             grep SigBlk /proc/self/status\n[ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo leader\n\
             readlink /proc/$$/fd/0; }} >{shown}/$1.new 2>&1; mv {shown}/$1.new {shown}/$1"
        ),
    );
    let look = look.display();
    let config = format!(
        "global_defs {{\n    script_user root\n}}\nvrrp_script check {{\n    script \"{look} check 'two \
         words' \\\"q\\\" \\x41 $HOME *\"\n}}\nvrrp_script nobody {{\n    script \"{look} nobody\"\n    \
         user nobody nogroup\n}}\nvrrp_instance VI_1 {{\n    interface eth0\n    virtual_router_id \
         51\n    notify_backup \"{look} notify 'x y'\"\n    virtual_ipaddress {{\n        \
         192.168.80.100\n    }}\n    track_script {{\n        check\n        nobody\n    }}\n}}\n"
    );
    let _daemon = Daemon::start(&bed, &bed.hosts[0], maker, &config);
    let found = |name: &str| std::fs::read_to_string(out.join(name)).ok();
    let names = ["check", "nobody", "notify"];
    wait_until("all have looked", PATIENCE, || names.iter().all(|name| found(name).is_some()));
    let folder = bed.folder.path().display().to_string();
    let text = |name: &str| (name.to_owned(), found(name).unwrap().replace(&folder, "DIR"));
    names.into_iter().map(text).collect()
}

/// Signals above all: what has them blocked can't be ended, nor can what it starts.
#[test]
fn scripts_find_what_they_find_under_keepalived() {
    let [evenkeel, debian] = both(surroundings);
    assert_eq!(evenkeel, debian);
    let check = &evenkeel["check"];
    assert!(check.starts_with("[check][two words][q][A][$HOME][*]\n"), "{check}");
    assert!(check.contains("SigBlk:\t0000000000000000\n"), "{check}");
}
