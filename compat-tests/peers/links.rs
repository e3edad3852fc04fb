//! Links that come and go: the same cables beside the real keepalived, and what both say.

use std::time::{Duration, Instant};

use super::super::bed::daemon::{Daemon, Maker};
use super::super::bed::{Bed, wait_until};
use super::PATIENCE;

/// Lines that tell of links, priorities and states, without their times.
fn told(log: &str) -> Vec<String> {
    let words = [
        "reports ",
        "flags change",
        "linkbeat",
        "effective priority",
        "FAULT STATE",
        "Entering BACKUP STATE",
        "debounce",
        "specified for up/down delay",
    ];
    let telling = |line: &&str| words.iter().any(|words| line.contains(words));
    log.lines().filter(telling).map(text).collect()
}

/// Without the time in front and the place in a config.
fn text(line: &str) -> String {
    let line = line.get(26..).unwrap_or_default();
    let line = if line.starts_with('(') && line.contains(".conf: Line ") {
        line.split_once(") ").map_or(line, |(_, text)| text)
    } else {
        line
    };
    line.to_owned()
}

/// What one maker's daemon says, with which delays between deed and word.
struct Watched<'a> {
    bed: &'a Bed,
    daemon: Daemon,
    seen: usize,
}

impl Watched<'_> {
    /// Does it, and waits for a line with these words; how long that took.
    fn until(&mut self, words: &str, act: impl FnOnce(&Bed)) -> Duration {
        let begun = Instant::now();
        act(self.bed);
        let has = |log: &str, seen: usize| {
            told(log).iter().skip(seen).position(|line| line.contains(words))
        };
        wait_until(words, PATIENCE, || has(&self.daemon.log(), self.seen).is_some());
        let time = begun.elapsed();
        // What else there is to be said at once.
        std::thread::sleep(Duration::from_millis(200));
        self.seen = told(&self.daemon.log()).len();
        time
    }
}

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

/// Both makers at once.
fn both<T: Send>(act: impl Fn(Maker) -> T + Sync) -> [T; 2] {
    std::thread::scope(|scope| {
        let evenkeel = scope.spawn(|| act(Maker::Evenkeel));
        let debian = act(Maker::Debian);
        [evenkeel.join().unwrap(), debian]
    })
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
    wait_until("master", PATIENCE, || daemon.log().contains("(VI_1) Entering MASTER"));
    let mut it = Watched { bed: &bed, seen: told(&daemon.log()).len(), daemon };
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
    // A reload doesn't end what has been waited for; the real one forgets that.
    if maker == Maker::Evenkeel {
        bed.carrier(host, false);
        std::thread::sleep(Duration::from_millis(100));
        it.daemon.signal("HUP");
        wait_until("reloaded, and down", PATIENCE, || !host.holds([192, 168, 80, 100]));
    }
    let mut lines = told(&it.daemon.log());
    lines.truncate(it.seen);
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
    wait_until("begun", PATIENCE, || daemon.log().contains("(VI_1) Entering BACKUP"));
    let mut it = Watched { bed: &bed, seen: told(&daemon.log()).len(), daemon };
    for name in ["t1", "t2", "t3", "t4"] {
        for to in ["down", "up"] {
            let time = it.until("effective priority", |bed| {
                bed.hosts[0].ip(&format!("link set {name}p {to}"));
            });
            assert!(time < Duration::from_millis(2100), "{maker:?} {name} {to}: {time:?}");
        }
    }
    told(&it.daemon.log())
}

/// `linkbeat_interfaces`, as far as cables between namespaces can be asked: they know no MII.
#[test]
fn links_are_asked_for() {
    let [evenkeel, debian] = both(polled);
    assert_eq!(evenkeel, debian);
    assert!(debian.len() >= 16, "{debian:#?}");
}
