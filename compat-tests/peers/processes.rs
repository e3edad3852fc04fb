//! The processes themselves: how they are scheduled and called, what happens when they get no CPU
//! time, and what must not outlive them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::bed::daemon::{Daemon, is_clean, kill};
use super::super::bed::{Bed, stays, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::shortage::instance;
use super::wire::frames;
use super::{PATIENCE, Pair, VIP, config};

/// A master that was stopped for longer than a backup waits is none any more: it says nothing and
/// announces nothing before it has listened. (The real one goes on as master, and both hold the
/// address until one hears the other.)
#[test]
fn a_master_that_overslept_listens_first() {
    let pair = Pair::new([Evenkeel, Debian]);
    let b = pair.start_b(&config("BACKUP", 90, ""));
    let a = pair.start_a(&config("MASTER", 100, ""));
    pair.settle("the first one is master", Pair::only_a);
    let role = a.vrrp_pid() as i32;
    kill("STOP", role);
    pair.settle("stopped, so the other one takes over", |it| it.b().holds(VIP));
    std::thread::sleep(Duration::from_millis(500));
    let file = pair.bed.path("after.pcap");
    let capture = pair.a().capture(&file);
    kill("CONT", role);
    let time = pair.settle("awake, it gives the address up", Pair::only_b);
    assert!(time < Duration::from_secs(2), "{time:?}");
    stays("it listens", Duration::from_millis(1500), || pair.only_b());
    drop(capture);
    let own = [2, 0, 0, 0, 0, 0x22];
    let said: Vec<Vec<u8>> = frames(&fs::read(&file).unwrap())
        .into_iter()
        .filter(|frame| frame[6..12] == own)
        // Its adverts, and gratuitous ARP for the address.
        .filter(|it| {
            it[12..14] == [8, 0] && it[23] == 112
                || it[12..14] == [8, 6] && it[28..32] == VIP.octets()
        })
        .collect();
    assert!(said.is_empty(), "{said:02x?}");
    assert!(a.log().contains("listening first"));
    // It has the higher priority, and preempts as any other.
    pair.settle("master again in the end", Pair::only_a);
    assert!(a.log().contains("late"), "and the log says by how much");
    assert!(is_clean(a.stop()) && is_clean(b.stop()));
}

/// A check that runs when the role is killed ends, too.
#[test]
fn no_check_outlives_a_killed_role() {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let script = bed.script("slow-check", "exec sleep 3600");
    let path = script.display();
    let config = config("MASTER", 100, "    track_script {\n        slow\n    }\n");
    let block = format!(
        "vrrp_script slow {{\n    script {path}\n    interval 3600\n    timeout 3600\n    weight \
         2\n}}\nvrrp_instance"
    );
    let daemon = Daemon::start(&bed, host, Evenkeel, &config.replace("vrrp_instance", &block));
    wait_until("master", PATIENCE, || host.holds(VIP));
    let role = daemon.vrrp_pid();
    let check = || children(role).into_iter().find(|pid| comm(*pid) == "sleep");
    wait_until("the check runs", PATIENCE, || check().is_some());
    let check = check().unwrap();
    kill("KILL", role as i32);
    wait_until("the check has ended", PATIENCE, || comm(check) != "sleep");
    wait_until("another role", PATIENCE, || daemon.vrrp_pid() != role);
    assert!(is_clean(daemon.stop()));
}

pub(super) fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of_task = |task: std::io::Result<fs::DirEntry>| {
        fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default()
    };
    let pids = tasks.map(of_task).collect::<String>();
    pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

pub(super) fn comm(pid: u32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    text.trim().to_owned()
}

/// How a process runs, as far as the kernel tells: its name, CPUs and locked memory; policy,
/// real-time priority and nice value of its first thread; umask; limit of real-time CPU.
pub(super) fn bearing(pid: u32) -> Vec<String> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let status = read("status");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    let stat = read("stat");
    // proc_pid_stat(5), counted from the third: (19) nice, (40) rt_priority, (41) policy.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    vec![
        comm(pid),
        field("Umask:"),
        field("Cpus_allowed_list:"),
        format!("nice {} real-time {} policy {}", fields[16], fields[37], fields[38]),
        format!("locked {}", field("VmLck:") != "0 kB"),
    ]
}

/// Both makers' processes run as the config wants it, and anew as the next config wants it.
#[test]
fn processes_run_as_the_config_wants_it() {
    let bed = Bed::new(2);
    let settings = |more: &str| {
        config("MASTER", 100, "").replace("global_defs {\n", &format!("global_defs {{\n{more}"))
    };
    let (nice, real_time) = (
        "    process_names\n    vrrp_priority -7\n    umask 0027\n",
        "    process_name mother\n    vrrp_process_name daughter\n    vrrp_rt_priority 12\n    \
         vrrp_rlimit_rttime 500000\n    vrrp_cpu_affinity 0\n    vrrp_no_swap\n",
    );
    for (what, more) in [("as usual", ""), ("nice", nice), ("in real time", real_time)] {
        let of = [(Debian, 0), (Evenkeel, 1)].map(|(maker, host)| {
            let host = &bed.hosts[host];
            // Priorities of 255 seconds' patience aren't needed: nobody has to be master.
            let daemon = Daemon::start(&bed, host, maker, &settings(more));
            let role = daemon.vrrp_pid();
            wait_until("running", PATIENCE, || daemon.log().contains("Entering BACKUP"));
            std::thread::sleep(Duration::from_millis(300));
            let seen = [bearing(role), vec![comm(daemon.pid())]].concat();
            assert!(is_clean(daemon.stop()), "{what} {maker:?}");
            seen
        });
        eprintln!("{what}: {of:?}");
        assert_eq!(of[0], of[1], "{what}");
    }
    // Without a restart, and back again.
    let host = &bed.hosts[1];
    let daemon = Daemon::start(&bed, host, Evenkeel, &settings(""));
    let role = daemon.vrrp_pid();
    wait_until("running", PATIENCE, || daemon.log().contains("Entering BACKUP"));
    let before = bearing(role);
    for (more, mark) in [(real_time, "real-time 12 policy"), ("", "real-time 0 policy 0")] {
        daemon.reconfigure(&settings(more));
        daemon.signal("HUP");
        wait_until(mark, PATIENCE, || bearing(role)[3].contains(mark));
    }
    assert_eq!(bearing(role)[2..], before[2..]);
    assert!(is_clean(daemon.stop()));
}

/// `net_namespace` and `-s`: the daemon moves into the namespace, its pid files into a folder of
/// the namespace's name, and nothing stays behind; `instance` is in the files' names.
#[test]
fn a_daemon_moves_into_its_network_namespace() {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let name = host.namespace();
    for (line, option) in [
        (format!("net_namespace {name}\ninstance blue\n"), None),
        ("instance blue\n".to_owned(), Some(name.to_owned())),
    ] {
        let file = bed.path("moved.conf");
        fs::write(&file, format!("{line}{}", config("MASTER", 255, ""))).unwrap();
        let program = bed.path("keepalived");
        if !program.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_evenkeel"), &program).unwrap();
        }
        // A /run of its own, in which network namespaces are still to be found.
        let script = "mkdir /tmp/netns.$$ && mount --rbind /run/netns /tmp/netns.$$ && mount -t \
                      tmpfs none /run && mkdir /run/netns && mount --rbind /tmp/netns.$$ /run/netns \
                      && umount -l /tmp/netns.$$ && rmdir /tmp/netns.$$ && exec \"$@\"";
        let mut command = std::process::Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]).arg(&program).args(["-n", "-l", "-f"]);
        command.arg(&file).args(option.iter().flat_map(|name| ["-s", name.as_str()]));
        let log = fs::File::create(bed.path("moved.log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        let begun = Instant::now();
        while !host.holds(VIP) {
            let log = fs::read_to_string(bed.path("moved.log")).unwrap();
            assert!(begun.elapsed() < PATIENCE, "not master in {name}: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        // As its children see it.
        let seen = format!("/proc/{}/root/run/keepalived", child.id());
        let files = ["keepalived_blue.pid", "vrrp_blue.pid"];
        assert!(files.iter().all(|file| Path::new(&seen).join(file).exists()), "{seen}");
        let pid = fs::read_to_string(Path::new(&seen).join(files[0])).unwrap();
        assert_eq!(pid.trim(), child.id().to_string());
        kill("TERM", child.id() as i32);
        assert!(child.wait().unwrap().success());
        assert!(!host.holds(VIP));
    }
}

/// `max_auto_priority`: each timer that is later than `min_auto_priority_delay` (in microseconds) lets
/// the process run one step before others, and no further than it may.
#[test]
fn who_is_late_runs_before_others() {
    let late = |maker| {
        let bed = Bed::new(1);
        let host = &bed.hosts[0];
        let text = format!(
            "global_defs {{\n    max_auto_priority 2\n    min_auto_priority_delay 200000\n}}\n{}",
            instance("VI_1", "eth0", VIP, 200, "")
        );
        let daemon = Daemon::start(&bed, host, maker, &text);
        wait_until("master", PATIENCE, || host.holds(VIP));
        std::thread::sleep(Duration::from_millis(1000));
        let role = daemon.vrrp_pid();
        let mut seen = Vec::new();
        for wanted in [1, 2, 2] {
            // A busy machine may have made it late before, or late to be stopped.
            let raised = || (wanted..=2).any(|it| bearing(role)[3].contains(&on(it)));
            for _ in 0..5 {
                kill("STOP", role as i32);
                std::thread::sleep(Duration::from_millis(450));
                kill("CONT", role as i32);
                std::thread::sleep(Duration::from_millis(600));
                if raised() {
                    break;
                }
            }
            assert!(raised(), "{maker:?}: {:?} after {seen:?}", bearing(role));
            seen.push(bearing(role)[3].clone());
        }
        assert_eq!(daemon.log().matches("Set realtime priority").count(), 2, "{maker:?}");
        assert!(is_clean(daemon.stop()));
        seen.pop().unwrap()
    };
    /// SCHED_RR.
    fn on(priority: u8) -> String {
        format!("real-time {priority} policy 2")
    }
    let [theirs, ours] = std::thread::scope(|scope| {
        [Debian, Evenkeel]
            .map(|maker| scope.spawn(move || late(maker)))
            .map(|it| it.join().unwrap())
    });
    assert_eq!(ours, theirs);
    assert!(ours.contains(&on(2)), "{ours}");
}
