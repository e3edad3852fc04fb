//! What a host looks like to ip(8) and nft(8) while the real keepalived runs on it, and while
//! Evenkeel does, by the same config: interfaces, addresses, routes, rules, settings, firewall.
//!
//! Both go through the same: backup, master, link lost, reloads, things that somebody takes away,
//! crashes, the end. What is seen with the real one is what has to be seen with ours.

use std::time::{Duration, Instant};

use super::super::bed::daemon::{Daemon, Maker, is_clean, kill};
use super::super::bed::{Bed, Host, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::PATIENCE;

/// So long nothing changes any more: it is as it will be.
const CALM: Duration = Duration::from_millis(2000);

/// Instance VI_1 on a virtual MAC interface, VI_2 without and with `no_accept`, VI_6 over IPv6.
const CONFIG: &str = "
global_defs {
    vrrp_version 3
    vrrp_garp_master_delay 0
    nftables
}
static_ipaddress {
    10.92.0.1/24 dev eth1
    10.93.0.1/24 dev eth1 scope link
}
static_routes {
    10.70.0.0/16 via 192.168.80.1 dev eth0 metric 7
}
static_rules {
    from 10.90.0.0/16 lookup 100 preference 900
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.2
    use_vmac
    virtual_ipaddress {
        192.168.80.100/24
        192.168.80.101/24 brd 192.168.80.255 label vrrp.51:7
        192.168.81.100/24 dev eth1
    }
    virtual_ipaddress_excluded {
        10.99.0.1/32
        fd00:80::99/64
    }
    virtual_routes {
        10.7.0.0/16 via 192.168.80.1 dev eth0
        10.8.0.0/16 via 192.168.80.1 dev eth0 table 7 metric 3 onlink
        unreachable 10.9.0.0/16
        src 192.168.80.100 10.10.0.0/16 via 192.168.80.2 dev eth0
    }
    virtual_rules {
        from 10.9.0.0/16 lookup 100 preference 1000
        to 10.10.0.0/16 iif eth1 lookup 101 preference 1001
    }
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    priority 100
    advert_int 0.2
    no_accept
    promote_secondaries
    virtual_ipaddress {
        192.168.80.110/24
    }
    virtual_ipaddress_excluded {
        192.168.81.110/24 dev eth1
    }
    virtual_routes {
        10.17.0.0/16 via 192.168.81.1 dev eth1
    }
}
vrrp_instance VI_6 {
    interface eth0
    virtual_router_id 53
    priority 100
    advert_int 0.2
    no_accept
    use_vmac vip6
    virtual_ipaddress {
        fe80::53
        fd00:80::53/64
    }
    virtual_routes {
        fd00:99::/64 via fd00:80::1 dev eth0
    }
    virtual_rules {
        from fd00:98::/64 lookup 102 preference 1002
    }
}
";

/// What is looked at; numbers of interfaces and times are left out.
const LOOK: &str = r#"
echo '[links]'; ip -br link show type macvlan | tr -s ' '
ip -d link show type macvlan | grep -o "macvlan mode [a-z]*\|addrgenmode [a-z0-9]*"
echo '[addresses]'; ip -o addr | sed -e 's/^[0-9]*: //' -e 's/ tentative//' -e 's/ *\\.*//' | tr -s ' ' | sort
echo '[routes]'; for f in 4 6; do ip -N -$f -d route show table all proto 18; done | sed 's/ pref [a-z]*//' | tr -s ' '
echo '[rules]'; for f in 4 6; do ip -N -$f -d rule; done
echo '[settings]'; for i in all default eth0 eth1 vrrp.51 vip6; do
  for s in ipv4/conf/$i/arp_ignore ipv4/conf/$i/arp_filter ipv4/conf/$i/accept_local \
      ipv4/conf/$i/rp_filter ipv4/conf/$i/promote_secondaries ipv6/conf/$i/disable_ipv6 \
      ipv6/conf/$i/addr_gen_mode ipv6/conf/$i/accept_ra ipv6/conf/$i/autoconf; do
    [ -e /proc/sys/net/$s ] && echo "$s = $(cat /proc/sys/net/$s)"
  done
done
echo '[firewall]'; nft list ruleset
"#;

fn look(host: &Host) -> String {
    let output = host.command("sh").args(["-c", LOOK]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Which of these answer somebody else.
fn answering(other: &Host) -> String {
    let addresses = ["192.168.80.100", "192.168.80.101", "192.168.80.110", "192.168.81.110"];
    let mut text = String::from("[answering]\n");
    for address in addresses {
        let ping = other.command("ping").args(["-c", "1", "-W", "1", address]).output().unwrap();
        text += &format!("{address}: {}\n", ping.status.success());
    }
    text
}

/// One after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Master,
    LinkLost,
    LinkBack,
    /// A route and a rule are taken away; each instance puts back what it has lost.
    Robbed,
    /// Addresses, routes and rules of the config change.
    Reloaded,
    /// Back to what it was.
    ReloadedBack,
    RoleKilled,
    /// All of its processes at once; another one is started.
    AllKilled,
    Stopped,
}

const STEPS: [Step; 9] = [
    Step::Master,
    Step::LinkLost,
    Step::LinkBack,
    Step::Robbed,
    Step::Reloaded,
    Step::ReloadedBack,
    Step::RoleKilled,
    Step::AllKilled,
    Step::Stopped,
];

fn changed() -> String {
    let replacements = [
        ("192.168.80.101/24 brd 192.168.80.255 label vrrp.51:7", "192.168.80.102/24"),
        ("        10.99.0.1/32\n", "        10.99.0.2/32\n        192.168.80.101/24\n"),
        ("unreachable 10.9.0.0/16", "blackhole 10.9.0.0/16"),
        ("lookup 101 preference 1001", "lookup 103 preference 1001"),
        ("10.93.0.1/24 dev eth1 scope link", "10.94.0.1/24 dev eth1"),
        ("10.70.0.0/16", "10.71.0.0/16"),
        ("192.168.80.110/24", "192.168.80.111/24"),
        ("fd00:80::53/64", "fd00:80::54/64"),
    ];
    replacements.into_iter().fold(CONFIG.to_owned(), |config, (from, to)| {
        assert!(config.contains(from), "{from}");
        config.replace(from, to)
    })
}

/// A daemon's life; what was seen after each step. `wanted`: it has to come to be like this.
fn life(maker: Maker, wanted: Option<&[(Step, String)]>) -> Vec<(Step, String)> {
    let bed = Bed::new(2);
    bed.second_network();
    let [host, other] = [&bed.hosts[0], &bed.hosts[1]];
    host.ip("addr add fd00:80::122/64 dev eth0 nodad");
    wait_until("duplicate address detection is through", PATIENCE, || {
        !String::from_utf8_lossy(&host.command("ip").args(["addr"]).output().unwrap().stdout)
            .contains("tentative")
    });
    let mut daemon = Some(Daemon::start(&bed, host, maker, CONFIG));
    let mut seen: Vec<(Step, String)> = Vec::new();
    for (at, step) in STEPS.into_iter().enumerate() {
        let running = || daemon.as_ref().unwrap();
        match step {
            Step::Master => {}
            Step::LinkLost => bed.carrier(host, false),
            Step::LinkBack => bed.carrier(host, true),
            Step::Robbed => {
                host.ip("route del 10.7.0.0/16");
                host.ip("addr del 192.168.81.110/24 dev eth1");
                host.ip("-6 rule del preference 1002");
                host.ip("rule del preference 900");
                host.ip("route del 10.70.0.0/16");
            }
            Step::Reloaded => {
                running().reconfigure(&changed());
                running().signal("HUP");
            }
            Step::ReloadedBack => {
                running().reconfigure(CONFIG);
                running().signal("HUP");
            }
            Step::RoleKilled => kill("KILL", running().vrrp_pid() as i32),
            Step::AllKilled => {
                // Dropped, it is killed with its process group.
                drop(daemon.take());
                // Nobody may have reaped them yet: to keepalived they would still be running.
                for which in ["parent", "vrrp", "checkers"] {
                    let file = bed.path(&format!("{}-{maker:?}-{which}.pid", host.name));
                    let _ = std::fs::remove_file(file);
                }
                daemon = Some(Daemon::start(&bed, host, maker, CONFIG));
            }
            Step::Stopped => assert!(is_clean(daemon.take().unwrap().stop())),
        }
        let observe = || {
            let mut text = look(host);
            if step == Step::Master {
                text += &answering(other);
            }
            text
        };
        let mut now = observe();
        match wanted {
            None => {
                let mut since = Instant::now();
                while since.elapsed() < CALM {
                    std::thread::sleep(Duration::from_millis(200));
                    let next = observe();
                    if next != now {
                        (now, since) = (next, Instant::now());
                    }
                }
            }
            Some(wanted) => {
                let begun = Instant::now();
                let wanted = comparable(step, &wanted[at].1);
                while comparable(step, &now) != wanted {
                    let log = daemon.as_ref().map(Daemon::log).unwrap_or_default();
                    let tail: Vec<&str> = log.lines().rev().take(40).collect();
                    assert!(
                        begun.elapsed() < PATIENCE,
                        "{step:?}:\n{}\n{tail:#?}",
                        difference(&wanted, &comparable(step, &now))
                    );
                    std::thread::sleep(Duration::from_millis(200));
                    now = observe();
                }
            }
        }
        if wanted.is_none() && std::env::var_os("SHOW").is_some() {
            eprintln!("==== {step:?}\n{now}");
        }
        seen.push((step, now));
    }
    seen
}

/// Without what differs on purpose: in the end keepalived leaves settings of interfaces as it has
/// made them, Evenkeel puts them back; after a crash keepalived's rules forget the virtual MAC
/// interfaces that it finds.
fn comparable(step: Step, text: &str) -> String {
    let left_out = |line: &&str| match step {
        Step::Stopped => line.starts_with("ipv4/conf/"),
        Step::RoleKilled | Step::AllKilled => {
            ["vmac_", "iface_index : iface_index", "type iface_index", "\"eth0\""]
                .iter()
                .any(|word| line.contains(word))
                || line.trim().starts_with("elements = { \"vrrp.51\"")
        }
        _ => false,
    };
    let lines = text.lines().filter(|line| !left_out(line) && line.trim() != "}");
    lines.filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

fn difference(wanted: &str, actual: &str) -> String {
    let only = |these: &str, those: &str, mark: &str| -> String {
        let those: Vec<&str> = those.lines().collect();
        let these = these.lines().filter(|line| !those.contains(line));
        these.map(|line| format!("{mark} {line}\n")).collect()
    };
    let difference = only(wanted, actual, "-") + &only(actual, wanted, "+");
    format!("(- keepalived, + Evenkeel)\n{difference}{actual}")
}

#[test]
fn a_host_looks_the_same_under_both() {
    let real = life(Debian, None);
    let of = |step| &real.iter().find(|it| it.0 == step).unwrap().1;
    assert!(of(Step::Master).contains("192.168.80.100: true"), "{}", of(Step::Master));
    assert!(of(Step::Master).contains("192.168.80.110: false"), "{}", of(Step::Master));
    assert!(!of(Step::Stopped).contains("192.168.80.100"), "{}", of(Step::Stopped));
    life(Evenkeel, Some(&real));
}
