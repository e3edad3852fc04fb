//! Reloads that give from one instance to another: addresses, routes and rules, VRIDs, and the
//! names of virtual MAC interfaces. keepalived is no model for the former: whichever instance
//! changes last takes off what the other one has by then.

use super::super::bed::daemon::{Daemon, is_clean};
use super::super::bed::{Bed, Host, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::PATIENCE;

/// An instance; `more` goes into its block.
fn instance(name: &str, vrid: u8, addresses: &[&str], more: &str) -> String {
    let addresses: String = addresses.iter().map(|it| format!("    {it}/24\n")).collect();
    format!(
        "vrrp_instance {name} {{\n  interface eth0\n  version 3\n  advert_int 0.1\n  \
         virtual_router_id {vrid}\n  virtual_ipaddress {{\n{addresses}  }}\n  {more}\n}}\n"
    )
}

fn look(host: &Host, words: &str) -> String {
    let output = host.command("ip").args(words.split_whitespace()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Everything of both instances is there.
fn all_there(host: &Host) -> bool {
    let addresses = look(host, "-o address show eth0");
    ["192.0.2.81/24", "192.0.2.82/24", "192.0.2.83/24"].iter().all(|it| addresses.contains(it))
        && look(host, "route").contains("198.51.100.0/24 via 192.0.2.200")
        && look(host, "rule").contains("from 203.0.113.0/24 lookup 77")
}

#[test]
fn what_moves_to_another_instance_stays_where_it_is() {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let more = "virtual_routes {\n    198.51.100.0/24 via 192.0.2.200 dev eth0\n  }\n  \
                virtual_rules {\n    from 203.0.113.0/24 table 77 priority 770\n  }";
    let [one, two, three] = ["192.0.2.81", "192.0.2.82", "192.0.2.83"];
    let config = |a: (u8, &[&str], &str), b: (u8, &[&str], &str)| {
        instance("A", a.0, a.1, a.2) + &instance("B", b.0, b.1, b.2)
    };
    let daemon =
        Daemon::start(&bed, host, Evenkeel, &config((1, &[one, two], more), (2, &[three], "")));
    wait_until("all is there", PATIENCE, || all_there(host));
    let generations = [
        // To the one that is changed later, and back; then VRIDs are swapped; then one goes.
        config((1, &[one], ""), (2, &[three, two], more)),
        config((1, &[one, two], more), (2, &[three], "")),
        config((2, &[one, two], more), (1, &[three], "")),
        config((2, &[three], ""), (1, &[one, two], more)),
        instance("B", 1, &[one, two, three], more),
    ];
    for (at, config) in generations.iter().enumerate() {
        let reloads = daemon.log().matches("Reload complete").count();
        daemon.reconfigure(config);
        daemon.signal("HUP");
        wait_until("it has reloaded", PATIENCE, || {
            daemon.log().matches("Reload complete").count() > reloads
        });
        assert!(all_there(host), "generation {at}\n{}", look(host, "address show eth0"));
    }
    assert!(is_clean(daemon.stop()));
    assert!(!look(host, "address").contains("192.0.2.8"));
    assert!(!look(host, "route").contains("198.51.100"));
    assert!(!look(host, "rule").contains("203.0.113"));
}

/// The name of a virtual MAC interface goes to another VRID: its hardware address has to follow.
#[test]
fn a_virtual_mac_interface_follows_the_vrid() {
    for maker in [Debian, Evenkeel] {
        let bed = Bed::new(1);
        let host = &bed.hosts[0];
        let config = |name: &str, a: u8, b: u8| {
            instance("A", a, &["192.0.2.81"], &format!("use_vmac {name}"))
                + &instance("B", b, &["192.0.2.82"], "use_vmac vmacB")
        };
        let is = |name: &str, a: u8, b: u8| {
            [(name, a, "192.0.2.81"), ("vmacB", b, "192.0.2.82")].iter().all(|it| {
                let (name, vrid, address) = it;
                look(host, &format!("-o link show {name}"))
                    .contains(&format!("00:00:5e:00:01:{vrid:02x}"))
                    && look(host, &format!("-o address show {name}")).contains(address)
            })
        };
        let daemon = Daemon::start(&bed, host, maker, &config("vmacA", 1, 2));
        wait_until("both are there", PATIENCE, || is("vmacA", 1, 2));
        for (name, a, b) in [("vmacA", 11, 2), ("vmacA", 2, 11), ("vmacC", 2, 11)] {
            // Swapped MAC addresses and another name are more than keepalived can do.
            if maker == Debian && a == 2 {
                break;
            }
            daemon.reconfigure(&config(name, a, b));
            daemon.signal("HUP");
            wait_until("the addresses follow", PATIENCE, || is(name, a, b));
        }
        assert!(is_clean(daemon.stop()));
        assert!(!look(host, "link").contains("vmac"));
    }
}
