//! `bfd_instance` (keepalived.conf(5), "BFD configuration").

use super::Row;

const BFD: &[&str] = &["bfd_instance"];
const NO_BFD: &str = "BFD isn't spoken";

pub(super) const TABLE: &[Row] = &[
    Row::of(&["main"], "bfd_instance", "NAME", "A BFD session")
        .bare()
        .block("bfd_instance")
        .refused(NO_BFD),
    Row::of(BFD, "neighbor_ip", "ADDRESS", "The other end").bare().refused(NO_BFD),
    Row::of(BFD, "neighbour_ip", "ADDRESS", "The other end").bare().refused(NO_BFD),
    Row::of(BFD, "source_ip", "ADDRESS", "This end").refused(NO_BFD),
    Row::of(BFD, "min_rx", "MILLISECONDS", "Least time between packets received")
        .default("10")
        .refused(NO_BFD),
    Row::of(BFD, "min_tx", "MILLISECONDS", "Time between packets sent")
        .default("10")
        .refused(NO_BFD),
    Row::of(BFD, "idle_tx", "MILLISECONDS", "Time between packets while the session is down")
        .default("1000")
        .refused(NO_BFD),
    Row::of(BFD, "multiplier", "COUNT", "Packets missed until the session is down")
        .default("5")
        .refused(NO_BFD),
    Row::of(BFD, "passive", "", "Wait for the other end to begin").refused(NO_BFD),
    Row::of(BFD, "ttl", "1..255", "TTL of packets sent").default("255").refused(NO_BFD),
    Row::of(BFD, "hoplimit", "1..255", "Hop limit of packets sent").default("64").refused(NO_BFD),
    Row::of(BFD, "max_hops", "0..255", "Hops that a packet may have taken")
        .default("0")
        .refused(NO_BFD),
    Row::of(BFD, "multihop", "[BOOL]", "Use the port for several hops").newer().refused(NO_BFD),
    Row::of(BFD, "weight", "-253..253 [reverse]", "Added to the priority").refused(NO_BFD),
    Row::of(BFD, "vrrp", "", "Tell only VRRP").refused(NO_BFD),
    Row::of(BFD, "checker", "", "Tell only the checkers").refused(NO_BFD),
];
