//! Settings of the kernel's network (ip-sysctl).

use std::io;

/// No more IGMP reports for groups of 224.0.0.0/24, which every switch forwards anyway (RFC 4541).
pub fn report_no_local_groups() -> io::Result<()> {
    std::fs::write("/proc/sys/net/ipv4/igmp_link_local_mcast_reports", "0")
}

/// Does this host forward what comes in by IPv6 on this interface?
pub fn forwards_ipv6(interface: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/forwarding");
    std::fs::read(path).is_ok_and(|value| value.first() == Some(&b'1'))
}
