//! Links that come and go: the same cables beside the real keepalived, and what both say.

use std::time::Duration;

use super::super::bed::daemon::{Daemon, Maker};
use super::super::bed::{Bed, wait_until};
use super::PATIENCE;
use super::watched::{Watched, both};

/// Lines that tell of links, priorities and states.
const WORDS: &[&str] = &[
    "reports ",
    "flags change",
    "linkbeat",
    "effective priority",
    "FAULT STATE",
    "Entering BACKUP STATE",
    "debounce",
    "specified for up/down delay",
];

/// A bed with one host, and cables `t1` to `t4` of it.
fn bed() -> Bed {
    let bed = Bed::new(1);
    for name in ["t1", "t2", "t3", "t4"] {
        let host = &bed.hosts[0];
        host.ip(&format!("link add {name} type veth peer name {name}p"));
        host.ip(&format!("link set {name}p up"));
        host.ip(&format!("link set {name} up"));
    }
    bed
}

const DELAYED: &str = "interface_up_down_delays {
    eth0 0.6 0.3
    t1 0.5 0.5
    t2 0 0.4
    t3 9
    nowhere 1
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        192.168.80.100
    }
    track_interface {
        t1 weight 0
        t2 weight 10
    }
}
vrrp_instance VI_2 {
    interface t3
    virtual_router_id 52
    virtual_ipaddress {
        192.168.80.101
    }
}
";

fn delayed(maker: Maker) -> Vec<String> {
    let bed = bed();
    let host = &bed.hosts[0];
    host.ip("addr add 192.168.82.1/24 dev t3");
    let daemon = Daemon::start(&bed, host, maker, DELAYED);
    let mut it = Watched::begun(&bed, daemon, WORDS, "(VI_1) Entering MASTER");
    let set = |name: &'static str, to: &'static str| {
        move |bed: &Bed| bed.hosts[0].ip(&format!("link set {name} {to}"))
    };
    let between = |time: Duration, least: u64| {
        let least = Duration::from_millis(least);
        assert!(time >= least && time < least + Duration::from_millis(900), "{maker:?}: {time:?}");
    };
    between(it.until("FAULT STATE", |bed| bed.carrier(&bed.hosts[0], false)), 600);
    between(it.until("BACKUP STATE", |bed| bed.carrier(&bed.hosts[0], true)), 300);
    // What comes back in time never went.
    it.until("flags change", |bed| bed.carrier(&bed.hosts[0], false));
    bed.carrier(host, true);
    std::thread::sleep(Duration::from_millis(700));
    between(it.until("FAULT STATE", set("t1p", "down")), 500);
    between(it.until("BACKUP STATE", set("t1p", "up")), 500);
    between(it.until("effective priority", set("t2p", "down")), 0);
    between(it.until("effective priority", set("t2p", "up")), 400);
    let lines = it.told();
    // A reload doesn't end what has been waited for; the real one forgets that.
    if maker == Maker::Evenkeel {
        bed.carrier(host, false);
        std::thread::sleep(Duration::from_millis(100));
        it.daemon.signal("HUP");
        wait_until("reloaded, and down", PATIENCE, || !host.holds([192, 168, 80, 100]));
    }
    lines
}

/// `interface_up_down_delays`
#[test]
fn a_link_counts_when_it_lasts() {
    let [evenkeel, debian] = both(delayed);
    assert_eq!(evenkeel, debian);
    assert!(debian.len() >= 18, "{debian:#?}");
}

const POLLED: &str = "linkbeat_interfaces {
    t1 ETHTOOL
    t2 MII
    t3 IOCTL
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        192.168.80.100
    }
    track_interface {
        t1 weight 10
        t2 weight 20
        t3 weight 30
        t4 weight 40
    }
}
";

fn polled(maker: Maker) -> Vec<String> {
    let bed = bed();
    let host = &bed.hosts[0];
    let daemon = Daemon::start(&bed, host, maker, POLLED);
    let mut it = Watched::begun(&bed, daemon, WORDS, "(VI_1) Entering BACKUP");
    for name in ["t1", "t2", "t3", "t4"] {
        for to in ["down", "up"] {
            let time = it.until("effective priority", |bed| {
                bed.hosts[0].ip(&format!("link set {name}p {to}"));
            });
            assert!(time < Duration::from_millis(2100), "{maker:?} {name} {to}: {time:?}");
        }
    }
    it.told()
}

/// `linkbeat_interfaces`, as far as cables between namespaces can be asked: they know no MII.
#[test]
fn links_are_asked_for() {
    let [evenkeel, debian] = both(polled);
    assert_eq!(evenkeel, debian);
    assert!(debian.len() >= 16, "{debian:#?}");
}
