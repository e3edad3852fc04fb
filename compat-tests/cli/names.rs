//! What `ps`, `pidof`, `pgrep` and `killall` see.

use std::process::Command;

use super::cell::{
    Background, Cell, KEEPALIVED_CONF, NGINX_CONF, cmdline, comm, pid_in, run, wait_for,
};

#[test]
fn nginx_has_a_master_and_a_worker() {
    let cell = Cell::new();
    let conf = cell.write("nginx.conf", NGINX_CONF);
    let started =
        run(cell.ours("nginx").args(["-c", &conf, "-e", "error.log", "-p", &cell.path("")]));
    assert_eq!((started.code, started.err.as_str()), (0, ""));
    // The file is there when the command has ended.
    let master = std::fs::read_to_string("/run/nginx.pid").unwrap().trim().parse().unwrap();
    let _background = Background(master);
    let program = cell.path("nginx");
    let title =
        format!("nginx: master process {program} -c {conf} -e error.log -p {}", cell.path(""));
    assert_eq!(cmdline(master), [title]);
    assert_eq!(comm(master), "nginx");
    let worker = child_of(master);
    assert_eq!(cmdline(worker), ["nginx: worker process"]);
    assert_eq!(comm(worker), "nginx");
    for tool in
        [&["pidof", "nginx"][..], &["pgrep", "-x", "nginx"], &["ps", "-C", "nginx", "-o", "pid="]]
    {
        let seen = pids(tool);
        assert!(seen.contains(&master) && seen.contains(&worker), "{tool:?}: {seen:?}");
    }
    // As the real one: the worker isn't root.
    let owner = std::fs::metadata(format!("/proc/{worker}")).unwrap();
    assert_ne!(std::os::unix::fs::MetadataExt::uid(&owner), 0);
}

#[test]
fn keepalived_has_a_parent_and_a_child() {
    let cell = Cell::new();
    let conf = cell.write("keepalived.conf", KEEPALIVED_CONF);
    let mut command = cell.ours("keepalived");
    let daemon = cell.daemon(command.args(["-n", "-l", "-G", "-f", &conf]), "log");
    let child = pid_in("/run/vrrp.pid");
    assert_eq!(pid_in("/run/keepalived.pid"), daemon.pid());
    for pid in [daemon.pid(), child] {
        assert!(wait_for(|| comm(pid) == "keepalived"));
        assert_eq!(cmdline(pid), [&cell.path("keepalived"), "-n", "-l", "-G", "-f", &conf]);
    }
    for tool in [&["pidof", "keepalived"][..], &["pgrep", "-x", "keepalived"]] {
        let seen = pids(tool);
        assert!(seen.contains(&daemon.pid()) && seen.contains(&child), "{tool:?}: {seen:?}");
    }
}

#[test]
fn evenkeel_carries_both_names() {
    let cell = Cell::new();
    let keepalived = cell.write("keepalived.conf", KEEPALIVED_CONF);
    let nginx = cell.write("nginx.conf", NGINX_CONF);
    // Alone in a process namespace, so that killall sees these processes only. The shell is PID 1.
    let script = format!(
        "{} run -k {keepalived} -n {nginx} 2>log & \
         while ! grep -q ' ready$' log; do sleep 0.1; done; \
         killall -0 nginx; echo killall nginx $?; killall -0 keepalived; echo killall keepalived $?; \
         ps -C nginx --no-header | wc -l; ps -ef | grep -c 'nginx: master proces[s]'; \
         pgrep -cf ^/usr/sbin/keepalived; \
         test $(cat /run/nginx.pid) = $(pidof nginx); echo nginx.pid $?; \
         test $(cat /run/keepalived.pid) = $(pidof keepalived); echo keepalived.pid $?; \
         killall keepalived; while killall -q -0 keepalived; do sleep 0.1; done; \
         killall -0 nginx; echo killall nginx $?; ls /run; kill %1; wait",
        cell.path("evenkeel")
    );
    let unshare =
        ["-p", "-f", "--mount-proc", "--kill-child", "timeout", "30", "bash", "-c", &script];
    let done = run(Command::new("unshare").args(unshare).current_dir(cell.dir()));
    let expected = "killall nginx 0\nkillall keepalived 0\n1\n1\n1\nnginx.pid 0\nkeepalived.pid 0\n\
                    killall nginx 0\nevenkeel\nnginx.pid\n";
    assert_eq!(done.out, expected, "{}\n{}", done.err, cell.read("log"));
}

fn pids(tool: &[&str]) -> Vec<i32> {
    let out = run(Command::new(tool[0]).args(&tool[1..])).out;
    out.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn child_of(parent: i32) -> i32 {
    let list = || pids(&["pgrep", "-P", &parent.to_string()]);
    assert!(wait_for(|| list().len() == 1));
    let child = list()[0];
    // Between fork and its first step it has its parent's name.
    assert!(wait_for(|| comm(child) == "nginx"));
    child
}
