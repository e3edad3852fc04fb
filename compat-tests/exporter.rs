//! What an exporter makes of the dump files: the rules of keepalived-exporter (mehdy's, by its list
//! of metrics), applied to Debian's keepalived and to Evenkeel.
//!
//! It reads either the JSON or the two text files, names a series by instance, interface, virtual
//! router id and address, and knows of scripts from the text alone.
//! Needs root, iproute2, keepalived.

use std::collections::BTreeMap;

use super::bed::daemon::Maker::{Debian, Evenkeel};
use super::bed::daemon::is_clean;
use super::status::{DATA, JSON, STATS, busy};

/// Series and their values.
type Metrics = BTreeMap<String, u64>;

const STATES: [&str; 4] = ["INIT", "BACKUP", "MASTER", "FAULT"];
/// Each daemon counts these at times of its own.
const VARIES: &str = "sent";

/// By heading and key of the text, and by key of the JSON: what the metric is called.
const COUNTERS: [(&str, &str, &str, &str); 14] = [
    ("Advertisements", "Received", "advert_rcvd", "advertisements_received_total"),
    ("Advertisements", "Sent", "advert_sent", VARIES),
    ("", "Became master", "become_master", "become_master_total"),
    ("", "Released master", "release_master", "release_master_total"),
    ("Packet Errors", "Length", "packet_len_err", "packet_length_errors_total"),
    ("Packet Errors", "TTL", "ip_ttl_err", "ip_ttl_errors_total"),
    ("Packet Errors", "Invalid Type", "invalid_type_rcvd", "invalid_type_received_total"),
    (
        "Packet Errors",
        "Advertisement Interval",
        "advert_interval_err",
        "advertisements_interval_errors_total",
    ),
    ("Packet Errors", "Address List", "addr_list_err", "address_list_errors_total"),
    ("Authentication Errors", "Invalid Type", "invalid_authtype", "authentication_invalid_total"),
    (
        "Authentication Errors",
        "Type Mismatch",
        "authtype_mismatch",
        "authentication_mismatch_total",
    ),
    ("Authentication Errors", "Failure", "auth_failure", "authentication_failure_total"),
    ("Priority Zero", "Received", "pri_zero_rcvd", "priority_zero_received_total"),
    ("Priority Zero", "Sent", "pri_zero_sent", "priority_zero_sent_total"),
];

fn of_json(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    let routers: serde_json::Value = serde_json::from_str(text).unwrap();
    for router in routers.as_array().unwrap() {
        let data = &router["data"];
        let word = |key: &str| data[key].as_str().unwrap().to_owned();
        let labels = format!("{},{},{}", word("iname"), word("ifp_ifname"), data["vrid"]);
        let state = data["state"].as_u64().unwrap();
        for address in data["vips"].as_array().unwrap() {
            let address = address.as_str().unwrap().split(' ').next().unwrap();
            metrics.insert(format!("vrrp_state{{{labels},{address}}}"), state);
        }
        for (_, _, key, name) in COUNTERS.iter().filter(|it| it.3 != VARIES) {
            let value = router["stats"][key].as_u64().unwrap();
            metrics.insert(format!("{name}{{{labels}}}"), value);
        }
    }
    metrics
}

/// Of `keepalived.data` and `keepalived.stats`; the scripts beside them.
fn of_text(data: &str, stats: &str) -> (Metrics, Metrics) {
    let (mut metrics, mut scripts) = (Metrics::new(), Metrics::new());
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    let (mut name, mut interface, mut state, mut script) = Default::default();
    let mut in_addresses = false;
    for line in data.lines() {
        if in_addresses && line.starts_with("     ") {
            let address = line.trim().split(' ').next().unwrap();
            metrics.insert(format!("vrrp_state{{{},{address}}}", labels[&name]), state);
            continue;
        }
        in_addresses = line.starts_with("   Virtual IP (");
        match line.split_once(" = ") {
            Some((" VRRP Instance", value)) => name = value.to_owned(),
            Some(("   State", value)) if script == String::new() && !name.is_empty() => {
                state = STATES.iter().position(|it| *it == value).unwrap_or(9) as u64;
            }
            Some(("   Interface", value)) => interface = value.to_owned(),
            Some(("   Virtual Router ID", value)) => {
                labels.insert(name.clone(), format!("{name},{interface},{value}"));
            }
            Some((" VRRP Script", value)) => script = value.to_owned(),
            Some(("   Status", value)) => {
                scripts.insert(format!("script_status{{{script}}}"), u64::from(value == "GOOD"));
            }
            _ => {}
        }
        if line == "------< Interfaces >------" {
            break;
        }
    }
    let (mut name, mut heading) = (String::new(), "");
    for line in stats.lines() {
        let (key, value) = line.trim().split_once(':').unwrap();
        match (line.len() - line.trim_start().len(), value.trim()) {
            (0, value) => name = value.to_owned(),
            (2, "") => heading = key,
            (depth, value) => {
                let heading = if depth == 2 { "" } else { heading };
                let known = COUNTERS.iter().find(|it| (it.0, it.1) == (heading, key));
                let (.., metric) = known.unwrap_or_else(|| panic!("{line}"));
                if *metric != VARIES {
                    metrics
                        .insert(format!("{metric}{{{}}}", labels[&name]), value.parse().unwrap());
                }
            }
        }
    }
    (metrics, scripts)
}

#[test]
fn an_exporter_sees_the_same_of_both() {
    let [theirs, ours] = [Debian, Evenkeel].map(|maker| {
        let node = busy(maker);
        let [data, stats, json] = [DATA, STATS, JSON].map(|it| node.dump(it, node.daemon.pid()));
        assert!(is_clean(node.daemon.stop()));
        let (text, scripts) = of_text(&data, &stats);
        assert_eq!(of_json(&json), text, "{maker:?}: both ways lead to the same");
        (text, scripts)
    });
    assert_eq!(ours, theirs);
    let (metrics, scripts) = theirs;
    assert_eq!(metrics["vrrp_state{VI_1,eth0,51,192.0.2.100/24}"], 2);
    assert_eq!(metrics["vrrp_state{VI_4,eth0,54,192.0.2.140/28}"], 3);
    assert_eq!((scripts["script_status{good}"], scripts["script_status{fails}"]), (1, 0));
}
