//! Checks for a process by name, held against the real `killall`, `pidof` and `pgrep` over a crowd
//! of processes with awkward names. Needs root, psmisc, procps, sysvinit-utils, util-linux, perl.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use evenkeel::kernel::connector::Connector;
use evenkeel::plan::track::{Check, ProcessTool, RunAs};
use evenkeel::runtime::probe::command::Ending;
use evenkeel::runtime::probe::{Finding, Probe, tool};

const NOBODY: u32 = 65_534;
const SIGKILL: i32 = 9;

/// Processes that end with the test.
struct Crowd {
    folder: tempfile::TempDir,
    children: Vec<Child>,
}

impl Crowd {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Crowd { folder, children: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program of this name that only sleeps.
    fn program(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        if !path.exists() {
            std::fs::copy("/bin/sleep", &path).unwrap();
        }
        path
    }

    fn start(&mut self, command: &mut Command) -> u32 {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let pid = child.id();
        self.children.push(child);
        pid
    }

    /// The program `name`, called `arg0` in its first argument.
    fn sleeper(&mut self, name: &str, arg0: &str) -> u32 {
        let program = self.program(name);
        self.start(Command::new(program).arg0(arg0).arg("1000"))
    }

    /// A process that gives itself a title, and so the name in its first 15 bytes.
    fn titled(&mut self, title: &str) -> u32 {
        self.start(Command::new("perl").args(["-e", "$0 = shift; sleep 1000", title]))
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What the real tool names, and its exit code.
fn ask(tool: ProcessTool, name: &str, user: Option<u32>) -> (BTreeSet<i32>, i32) {
    let mut argv = match user {
        Some(id) => vec![
            "setpriv".to_owned(),
            format!("--reuid={id}"),
            format!("--regid={id}"),
            "--clear-groups".to_owned(),
        ],
        None => Vec::new(),
    };
    let tool: &[&str] = match tool {
        ProcessTool::Killall => &["killall", "-0", "-v"],
        ProcessTool::Pidof => &["pidof"],
        ProcessTool::Pgrep => &["pgrep", "-x"],
    };
    argv.extend(tool.iter().map(|word| (*word).to_owned()));
    argv.push(name.to_owned());
    let output = Command::new(&argv[0]).args(&argv[1..]).current_dir("/").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr)
            .lines()
            .filter_map(|line| line.strip_prefix("Killed ")?.strip_suffix(" with signal 0"))
            .filter_map(|line| {
                Some(line.rsplit_once('(')?.1.trim_end_matches(')').to_owned() + " ")
            })
            .collect::<String>();
    let pids = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    (pids, output.status.code().unwrap())
}

fn found(tool: ProcessTool, name: &str, user: Option<u32>) -> BTreeSet<i32> {
    let user =
        user.map(|id| RunAs { name: "nobody".to_owned(), uid: id, gid: id, groups: Vec::new() });
    tool::find(tool, name, user.as_ref()).iter().map(|process| process.pid).collect()
}

#[test]
fn the_answer_is_the_tools_except_for_zombies() {
    // Tests run beside each other: names must not meet.
    let tag = format!("k{}", std::process::id() % 100_000);
    let mut crowd = Crowd::new();
    let name = |suffix: &str| format!("{tag}{suffix}");
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let long = |suffix: &str| format!("{tag}-a-name-beyond-15{suffix}");
    let cut = long("")[..15].to_owned();

    let plain = text(crowd.program(&name("a")));
    crowd.sleeper(&name("a"), &plain);
    crowd.sleeper(&name("b"), &name("arg"));
    crowd.sleeper(&name("b"), &format!("/x/{tag}arg2"));
    crowd.sleeper(&name("rel"), &format!("./{tag}rel"));
    crowd.sleeper(&name("in"), &format!("-{tag}in"));
    crowd.sleeper(&format!("{tag} sp"), &text(crowd.path(&format!("{tag} sp"))));
    crowd.sleeper(&format!("{tag}) S 1"), &name("paren"));
    crowd.sleeper(&long(""), &text(crowd.path(&long(""))));
    crowd.sleeper(&long("-too"), "other");
    crowd.sleeper(&cut, &text(crowd.path(&cut)));
    crowd.titled(&format!("{tag}t: master process /usr/sbin/x"));
    crowd.titled(&format!("{tag}u"));
    let script = crowd.path(&name("script"));
    let body = "#!/bin/sh\nsleep 1000\n:\n";
    std::fs::write(&script, body).unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let long_script = crowd.path(&format!("{tag}-a-script-of-some-length"));
    std::fs::copy(&script, &long_script).unwrap();
    crowd.start(Command::new(&script).process_group(0));
    crowd.start(Command::new(&long_script).process_group(0));
    crowd.start(Command::new("/bin/sh").arg(&script).process_group(0));
    symlink(crowd.program(&name("a")), crowd.path(&name("link"))).unwrap();
    crowd.sleeper(&name("link"), &name("link"));
    std::fs::hard_link(crowd.program(&name("a")), crowd.path(&name("hard"))).unwrap();
    crowd.sleeper(&name("gone"), &text(crowd.path(&name("gone"))));
    crowd.sleeper(&name("new"), &text(crowd.path(&name("new"))));
    let stopped = crowd.sleeper(&name("stop"), &name("stop"));
    Command::new("kill").args(["-STOP", &stopped.to_string()]).status().unwrap();
    let nobodys = crowd.program(&name("nobody"));
    crowd.start(Command::new(&nobodys).arg("1000").uid(NOBODY).gid(NOBODY));
    let zombie_program = crowd.program(&name("zombie"));
    let zombie = crowd.start(Command::new(zombie_program).arg("0"));
    std::thread::sleep(Duration::from_millis(500));
    std::fs::remove_file(crowd.path(&name("gone"))).unwrap();
    std::fs::remove_file(crowd.path(&name("new"))).unwrap();
    crowd.program(&name("new"));

    let mut names: Vec<String> = ["a", "b", "arg", "arg2", "rel", "in", "paren", "t", "t:", "u"]
        .iter()
        .chain(&["script", "link", "hard", "gone", "new", "stop", "nobody", "zombie", "none", ""])
        .flat_map(|suffix| [name(suffix), text(crowd.path(&name(suffix)))])
        .collect();
    names.extend([
        format!("{tag} sp"),
        format!("{tag}) S 1"),
        format!("./{tag}rel"),
        format!("/x/{tag}arg2"),
        long(""),
        long("-too"),
        long("-not"),
        cut.clone(),
        cut[..14].to_owned(),
        format!("{tag}-a-script-of-some-length"),
        format!("{tag}-a-script-of-some-length")[..15].to_owned(),
        text(long_script),
        name("a").to_uppercase(),
        format!("/{plain}"),
        "kthreadd".to_owned(),
        "/bin/sh".to_owned(),
        "/usr/bin/perl".to_owned(),
        "/".to_owned(),
        "no/such".to_owned(),
    ]);
    let mut compared = 0;
    let mut matched = 0;
    for name in &names {
        for tool in [ProcessTool::Killall, ProcessTool::Pidof, ProcessTool::Pgrep] {
            if !tool::answers(tool, name) {
                continue;
            }
            for user in [None, Some(NOBODY)] {
                let agree = || {
                    let (mut expected, code) = ask(tool, name, user);
                    assert_eq!(code == 0, !expected.is_empty(), "{tool:?} {name:?}: exit code");
                    expected.remove(&(zombie as i32));
                    let ours = found(tool, name, user);
                    (ours == expected, ours, expected)
                };
                // `/bin/sh` and `perl` are run by others too: a difference has to stay.
                let (same, ours, expected) =
                    (0..5).map(|_| agree()).find(|(same, ..)| *same).unwrap_or_else(agree);
                assert!(same, "{tool:?} {name:?} as {user:?}: ours {ours:?}, real {expected:?}");
                compared += 1;
                matched += usize::from(!expected.is_empty());
            }
        }
    }
    assert!(compared > 200 && matched > 60, "{compared} compared, {matched} matched");
    // The one difference, on purpose.
    let (real, _) = ask(ProcessTool::Killall, &name("zombie"), None);
    assert!(real.contains(&(zombie as i32)));
    assert!(found(ProcessTool::Killall, &name("zombie"), None).is_empty());
}

#[test]
fn the_end_of_a_watched_process_is_noticed_at_once() {
    let name = format!("w{}", std::process::id() % 100_000);
    let mut crowd = Crowd::new();
    crowd.sleeper(&name, &name);
    crowd.sleeper(&name, &name);
    std::thread::sleep(Duration::from_millis(300));
    let check = Check::Process {
        tool: ProcessTool::Killall,
        name: name.clone(),
        argv: vec!["killall".to_owned(), "-0".to_owned(), name],
    };
    let (probe, mut findings) = Probe::start().unwrap();
    probe.run(7, &check, None);
    let ended = |code| Finding::Ended { check: 7, ending: Ending::Exited(code) };
    assert_eq!(findings.blocking_recv(), Some(ended(0)));
    for expected in [0, 1] {
        let killed = Instant::now();
        // Killed, not reaped: as under a parent that doesn't look after its children.
        crowd.children[expected as usize].kill().unwrap();
        assert_eq!(findings.blocking_recv(), Some(Finding::ProcessGone { check: 7 }));
        assert!(killed.elapsed() < Duration::from_millis(500), "{:?}", killed.elapsed());
        probe.run(7, &check, None);
        assert_eq!(findings.blocking_recv(), Some(ended(expected)));
    }
}

/// Where the kernel's process connector answers (the host's first network namespace), a process
/// that began after the last run is watched too.
#[test]
fn the_connector_sees_processes_between_runs() {
    let has_connector = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Connector::open().is_ok() })
    };
    let name = format!("c{}", std::process::id() % 100_000);
    let mut crowd = Crowd::new();
    crowd.sleeper(&name, &name);
    std::thread::sleep(Duration::from_millis(300));
    let argv = vec!["killall".to_owned(), "-0".to_owned(), name.clone()];
    let check = Check::Process { tool: ProcessTool::Killall, name: name.clone(), argv };
    let (probe, mut findings) = Probe::start().unwrap();
    probe.run(7, &check, None);
    let ended = Finding::Ended { check: 7, ending: Ending::Exited(0) };
    assert_eq!(findings.blocking_recv(), Some(ended));
    crowd.sleeper(&name, &name);
    std::thread::sleep(Duration::from_millis(300));
    crowd.children[1].kill().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let heard = findings.try_recv().ok();
    assert_eq!(heard, has_connector.then_some(Finding::ProcessGone { check: 7 }));
}

#[test]
fn scripts_run_in_groups_of_their_own_and_are_killed_whole() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("note");
    let argv = |script: &str| vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()];
    let (probe, mut findings) = Probe::start().unwrap();
    let run = |check, script: &str| {
        probe.run(check, &Check::Command { argv: argv(script) }, None);
    };
    run(1, "exit 3");
    let ending = |check, ending| Some(Finding::Ended { check, ending });
    assert_eq!(findings.blocking_recv(), ending(1, Ending::Exited(3)));
    run(2, "kill -9 $$");
    assert_eq!(findings.blocking_recv(), ending(2, Ending::Signaled(9)));
    let missing = Check::Command { argv: vec!["/no/such/script".to_owned()] };
    probe.run(3, &missing, None);
    assert!(matches!(findings.blocking_recv(), Some(Finding::NotStarted { check: 3, .. })));

    run(4, &format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", note.display()));
    wait_for(&note);
    probe.signal(4, SIGKILL);
    assert_eq!(findings.blocking_recv(), ending(4, Ending::Signaled(9)));
    let grandchild = std::fs::read_to_string(&note).unwrap().trim().to_owned();
    let gone = || {
        std::fs::read_to_string(format!("/proc/{grandchild}/stat"))
            .map_or(true, |stat| stat.contains(") Z "))
    };
    let begun = Instant::now();
    while !gone() {
        assert!(begun.elapsed() < Duration::from_secs(5), "the script's child lives on");
        std::thread::sleep(Duration::from_millis(10));
    }

    // Notify scripts: started in order, as the user asked for.
    let user = RunAs { name: "nobody".to_owned(), uid: NOBODY, gid: NOBODY, groups: Vec::new() };
    let said = folder.path().join("said");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let script = format!("id -u > {0}.new; id -g >> {0}.new; mv {0}.new {0}", said.display());
    probe.notify(argv(&script), Some(&user));
    probe.finish();
    wait_for(&said);
    assert_eq!(std::fs::read_to_string(&said).unwrap(), "65534\n65534\n");
}

fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}
