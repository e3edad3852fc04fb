//! How workers get the machine, and the next executable its environment.

use nix::sys::signal::Signal;

use super::master::{Master, Which, send, wait_for};
use super::{RELOADED, proxy, same};

/// CPUs, nice value, largest core file and folder of whoever serves, and the alerts about them.
fn footing(which: Which, n: u8, main: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (_, stream) = proxy(n);
    let master = Master::start(which, main, &stream);
    let pid = master.pid().unwrap();
    // nginx's workers are processes, ours are threads of one.
    let tasks = || -> Vec<String> {
        let workers = master.workers(pid).into_iter();
        let mut tasks: Vec<String> = workers
            .flat_map(|worker| {
                let tasks = std::fs::read_dir(format!("/proc/{worker}/task")).into_iter().flatten();
                let serves = move |task: &i32| which == Which::Nginx || *task != worker;
                let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
                tasks
                    .flatten()
                    .filter_map(number)
                    .filter(serves)
                    .map(|task| format!("/proc/{worker}/task/{task}"))
                    .collect::<Vec<_>>()
            })
            .collect();
        tasks.sort();
        tasks
    };
    assert!(wait_for(|| tasks().len() == 2), "{:?}", tasks());
    std::thread::sleep(std::time::Duration::from_millis(150));
    let seen = tasks().into_iter().map(|task| {
        let read = |file: &str| std::fs::read_to_string(format!("{task}/{file}")).unwrap();
        let status = read("status");
        let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        let stat = read("stat");
        let nice = stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().to_owned();
        let limits = read("limits");
        let core = limits.lines().find_map(|it| it.strip_prefix("Max core file size")).unwrap();
        let core = core.split_whitespace().next().unwrap().to_owned();
        let folder = std::fs::read_link(format!("{task}/cwd")).unwrap();
        let inside = folder == master.path("cores");
        (cpus.trim().to_owned(), format!("nice {nice} core {core} inside {inside}"))
    });
    let seen = seen.collect();
    let mut said: Vec<String> = master
        .log()
        .lines()
        .filter(|line| line.contains("sched_setaffinity") || line.contains("[alert]"))
        .map(|line| format!("[{}", line.split_once('[').unwrap().1))
        .map(|line| {
            line.split(' ')
                .filter(|word| !word.contains("#") || word.starts_with("#"))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    said.sort();
    (seen, said)
}

#[test]
fn workers_get_cpus_priority_core_files_and_folder_as_in_nginx() {
    let folder = "user nobody nogroup; worker_processes 2; events {}";
    let number = std::cell::Cell::new(0);
    for main in [
        "worker_cpu_affinity 01 10; worker_priority 5; worker_rlimit_core 1m;",
        "worker_cpu_affinity auto; worker_priority -5; worker_rlimit_core 0;",
        "worker_cpu_affinity 10; worker_priority 25; worker_rlimit_core 4k;",
        "worker_cpu_affinity auto 10; working_directory /tmp; worker_rlimit_core 4k;",
        "worker_cpu_affinity 1000000000000 00; worker_rlimit_core 4k;",
    ] {
        same(|which| {
            number.set(number.get() + 1);
            footing(which, number.get(), &format!("{folder} {main}"))
        });
    }
}

#[test]
fn what_is_asked_for_workers_changes_by_a_reload() {
    let (_, stream) = proxy(1);
    let main = "user nobody nogroup; worker_processes 1; events {}";
    let master =
        Master::start(Which::Evenkeel, &format!("{main} worker_cpu_affinity 01;"), &stream);
    let pid = master.pid().unwrap();
    master.logs("using cpu #0");
    std::fs::write(
        master.path("nginx.conf"),
        std::fs::read_to_string(master.path("nginx.conf")).unwrap().replace(
            "worker_cpu_affinity 01;",
            "worker_cpu_affinity 10; worker_priority 3; working_directory /nonexistent;",
        ),
    )
    .unwrap();
    send(pid, Signal::SIGHUP);
    master.logs("using cpu #1");
    master.logs("chdir(\"/nonexistent\") failed (2: No such file or directory)");
    master.logs(RELOADED);
    let worker = master.workers(pid)[0];
    let nice = |task: String| {
        let stat = std::fs::read_to_string(format!("/proc/{worker}/task/{task}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().to_owned()
    };
    let tasks = std::fs::read_dir(format!("/proc/{worker}/task")).unwrap().flatten();
    for task in tasks.map(|task| task.file_name().into_string().unwrap()) {
        assert_eq!(nice(task), "3");
    }
}

#[test]
fn the_environment_of_the_next_executable_is_what_env_says_as_in_nginx() {
    same(|which| {
        let (_, stream) = proxy(1 + which as u8);
        let main = "user nobody nogroup; events {} env LIFE; env SET=a=b; env GONE;";
        let master = Master::start(which, main, &stream);
        let old = master.pid().unwrap();
        // A program that tells what it was given.
        let script = "#!/bin/sh\n{ env; for a; do echo \"arg $a\"; done; } > $(dirname $0)/given\n";
        std::fs::remove_file(master.path("nginx")).unwrap();
        std::fs::write(master.path("nginx"), script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(master.path("nginx"), mode).unwrap();
        send(old, Signal::SIGUSR2);
        assert!(wait_for(|| master.log().contains("exited with code 0")), "{}", master.log());
        let given = std::fs::read_to_string(master.path("given")).unwrap();
        let folder = master.path("").display().to_string();
        let mut given: Vec<String> = given
            .lines()
            .filter(|line| {
                !["PWD=", "_=", "SHLVL=", "OLDPWD=", "TZ=", "SPARE="]
                    .iter()
                    .any(|it| line.starts_with(it))
            })
            .filter(|line| !line.starts_with("LD_"))
            .map(|line| line.replace(folder.trim_end_matches('/'), "DIR"))
            .map(|line| line.chars().filter(|it| !it.is_ascii_digit()).collect())
            .collect();
        given.sort();
        given
    });
}
