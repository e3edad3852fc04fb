//! What is tracked: the same files and interfaces beside the real keepalived, and what both say.

use std::time::Duration;

use super::super::bed::daemon::{Daemon, Maker};
use super::super::bed::{Bed, wait_until};

/// Lines that tell of priorities and states.
fn told(log: &str) -> Vec<String> {
    let telling = |line: &&str| {
        ["effective priority", "tracked file", "FAULT STATE", "Entering BACKUP STATE"]
            .iter()
            .any(|words| line.contains(words))
    };
    let text = |line: &str| line[line.find("(VI_1)").unwrap_or(0)..].to_owned();
    log.lines().filter(telling).map(text).collect()
}

/// Files and an interface, written, lost and found again: the lines of the log.
fn lines(maker: Maker) -> Vec<String> {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    host.ip("link add t1 type veth peer name t1p");
    host.ip("link set t1p up");
    host.ip("link set t1 up");
    let file = bed.path("value");
    let config = format!(
        "track_file f {{\n    file {}\n    weight 2\n}}\nvrrp_instance VI_1 {{\n    interface eth0\n    \
         virtual_router_id 51\n    priority 100\n    virtual_ipaddress {{\n        192.168.80.100\n    \
         }}\n    track_file {{\n        f\n    }}\n    track_interface {{\n        t1 weight 10\n    \
         }}\n}}\n",
        file.display()
    );
    std::fs::write(&file, "3\n").unwrap();
    let daemon = Daemon::start(&bed, host, maker, &config);
    let patience = Duration::from_secs(10);
    let mut count = 2;
    wait_until("it has begun", patience, || told(&daemon.log()).len() >= count);
    let mut expect = |more: usize, act: &dyn Fn()| {
        act();
        count += more;
        wait_until("it was noticed", patience, || told(&daemon.log()).len() >= count);
    };
    let write =
        |text: &'static str| move |file: &std::path::Path| std::fs::write(file, text).unwrap();
    expect(1, &|| write("0x10\n")(&file));
    expect(1, &|| write("-20 and more\n")(&file));
    expect(2, &|| write("-127\n")(&file));
    expect(3, &|| write("5\n")(&file));
    expect(1, &|| std::fs::remove_file(&file).unwrap());
    expect(1, &|| host.ip("link set t1p down"));
    expect(1, &|| host.ip("link set t1p up"));
    told(&daemon.log())
}

#[test]
fn tracked_files_and_interfaces_move_the_priority_as_keepalived_does() {
    assert_eq!(lines(Maker::Evenkeel), lines(Maker::Debian));
}
