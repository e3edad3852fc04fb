//! IPv6 addresses as they are put on an interface.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use super::super::bed::daemon::{Daemon, Maker, is_clean};
use super::super::bed::{Bed, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::PATIENCE;

/// What `ip` shows of the virtual addresses of a master.
fn shown(maker: Maker) -> BTreeSet<String> {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let last = Ipv6Addr::new(0xfd00, 0x80, 0, 0, 0, 0, 0, 0x106);
    let config = "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    \
                  advert_int 0.1\n    virtual_ipaddress {\n        fe80::100/64\n        \
                  fe80::101\n        fd00:80::102/128 preferred_lft forever\n        \
                  fd00:80::103\n        fd00:80::104/64 preferred_lft 0\n        \
                  fd00:80::105/64 -nodad home noprefixroute\n        fd00:80::106/64\n    }\n}\n";
    let daemon = Daemon::start(&bed, host, maker, config);
    wait_until("master", PATIENCE, || host.holds(last));
    let read = || {
        let mut ip = host.command("ip");
        let output = ip.args(["-6", "-o", "addr", "show", "dev", "eth0"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    wait_until("duplicate address detection is through", PATIENCE, || {
        !read().contains("tentative")
    });
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let ours = read().lines().filter(|line| line.contains("::1")).map(words).collect();
    assert!(is_clean(daemon.stop()));
    assert!(!read().contains("::1"), "{maker:?}: nothing stays behind");
    ours
}

#[test]
fn addresses_have_the_same_flags_and_lifetimes() {
    let (real, ours) = (shown(Debian), shown(Evenkeel));
    assert_eq!(ours, real);
    assert_eq!(ours.len(), 7);
}
