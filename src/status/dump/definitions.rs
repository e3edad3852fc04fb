//! The section `Global definitions` of `keepalived.data`.
//!
//! What `global_defs` says is told by the plan line for line
//! ([`Telling::definitions`](crate::plan::telling::Telling::definitions)), since much of it is
//! resolved into instances there; this table has the order, and what stands where nothing is said.

use std::collections::BTreeMap;
use std::fmt::{Result, Write};
use std::time::Duration;

use super::words;
use crate::plan::telling::{FifoWithScript, Snmp, Telling};
use crate::plan::vrrp_process::{Check, VrrpProcess};

/// How a line looks.
enum Form {
    /// ` KEY = VALUE`
    Is(&'static str, &'static str),
    /// ` KEY VALUE`
    Says(&'static str, &'static str),
    /// ` KEY = VALUE`, only where there is something to say.
    May(&'static str),
    /// ` KEY`, only where it is so.
    Alone(&'static str),
    /// Is a new config looked at before it is taken over?
    Test,
    /// The FIFOs and their scripts.
    Fifos,
}

use Form::{Alone, Fifos, Is, May, Says, Test};

/// Of Debian's 2.2.7, in its order.
const LINES: &[Form] = &[
    May("Config save dir"),
    Is("Network namespace", "(default)"),
    Is("Network namespace ipvs", "(main namespace)"),
    May("Instance name"),
    May("Parent process name"),
    May("VRRP process name"),
    May("Router ID"),
    May("Smtp server"),
    May("Smtp server port"),
    May("Smtp HELO name"),
    May("Smtp server connection timeout"),
    May("Email notification from"),
    May("Email notification to"),
    Is("Default smtp_alert", "unset"),
    Is("Default smtp_alert_vrrp", "unset"),
    Is("Default smtp_alert_checker", "unset"),
    Is("Checkers log all failures", "false"),
    Test,
    May("Reload time file"),
    May("Reload_file"),
    Alone("Use instance name in data dumps"),
    Is("Dynamic interfaces", "false"),
    May("Allow interface changes"),
    May("Send emails for fault transitions"),
    Is("Default interface", "eth0"),
    Is("Disable local IGMP", "no"),
    Is("LVS flush", "false"),
    Is("LVS flush on stop", "disabled"),
    Fifos,
    Is("FIFO write vrrp states on reload", "false"),
    Is("VRRP notify priority changes", "false"),
    Is("VRRP IPv4 mcast group", "224.0.0.18"),
    Is("VRRP IPv6 mcast group", "ff02::12"),
    Is("Gratuitous ARP delay", "5"),
    Is("Gratuitous ARP repeat", "5"),
    Is("Gratuitous ARP refresh timer", "0"),
    Is("Gratuitous ARP refresh repeat", "1"),
    Is("Gratuitous ARP lower priority delay", "5"),
    Is("Gratuitous ARP lower priority repeat", "5"),
    Is("Num adverts before down", "3"),
    Is("Gratuitous ARP for each secondary VMAC", "0s"),
    Is("Send advert after receive lower priority advert", "true"),
    Is("Send advert after receive higher priority advert", "false"),
    Is("Gratuitous ARP interval", "0.000000"),
    Is("Gratuitous NA interval", "0.000000"),
    Is("VRRP default protocol version", "2"),
    May("nftables table name"),
    May("nftables base chain priority"),
    Alone("nftables don't force use ifindex for link local IPv6"),
    Says("nftables", "without counters"),
    Is("VRRP check unicast_src", "false"),
    Is("VRRP skip check advert addresses", "false"),
    Is("VRRP strict mode", "false"),
    Is("Max auto priority", "0"),
    Is("Min auto priority delay", "1000000 usecs"),
    Is("VRRP process priority", "0"),
    Is("VRRP don't swap", "false"),
    Is("VRRP realtime priority", "0"),
    May("VRRP CPU Affinity"),
    Is("VRRP realtime limit", "10000"),
    Is("Checker process priority", "0"),
    Is("Checker don't swap", "false"),
    Is("Checker realtime priority", "0"),
    Is("Checker realtime limit", "10000"),
    Is("BFD process priority", "0"),
    Is("BFD don't swap", "false"),
    Is("BFD realtime priority", "0"),
    Is("BFD realtime limit", "10000"),
    Says("SNMP vrrp", "disabled"),
    Says("SNMP checker", "disabled"),
    Says("SNMP RFCv2", "disabled"),
    Says("SNMP RFCv3", "disabled"),
    Says("SNMP traps", "disabled"),
    Is("SNMP socket", "default (unix:/var/agentx/master)"),
    Says("DBus", "disabled"),
    Is("DBus service name", ""),
    Says("Script security", "disabled"),
    Says("Default script uid:gid", "0:0"),
    Is("vrrp_netlink_cmd_rcv_bufs", "0"),
    Is("vrrp_netlink_cmd_rcv_bufs_force", "0"),
    Is("vrrp_netlink_monitor_rcv_bufs", "0"),
    Is("vrrp_netlink_monitor_rcv_bufs_force", "0"),
    Is("process_monitor_rcv_bufs", "0"),
    Is("process_monitor_rcv_bufs_force", "0"),
    Is("lvs_netlink_cmd_rcv_bufs", "0"),
    Is("lvs_netlink_cmd_rcv_bufs_force", "0"),
    Is("lvs_netlink_monitor_rcv_bufs", "0"),
    Is("lvs_netlink_monitor_rcv_bufs_force", "0"),
    Is("rs_init_notifies", "0"),
    Is("no_checker_emails", "0"),
    May("rx_bufs_policy"),
    May("rx_bufs_size"),
    Is("rx_bufs_multiples", "3"),
    Is("umask", "0177"),
    May("vrrp_startup_delay"),
    Alone("log_unknown_vrids"),
    May("VMAC prefix"),
    May("VMAC address prefix"),
    May("current realtime priority"),
    May("current realtime time limit"),
];

pub(super) fn write(
    out: &mut String,
    telling: &Telling,
    process: &VrrpProcess,
    router_id: &str,
) -> Result {
    writeln!(out, "------< Global definitions >------")?;
    let mut by_process = of_process(process);
    by_process.extend(of_snmp(&telling.snmp));
    let said = |key: &str| match key {
        "Router ID" => Some(router_id),
        _ => by_process.get(key).or_else(|| telling.definitions.get(key)).map(String::as_str),
    };
    for form in LINES {
        match form {
            Is(key, usual) => writeln!(out, " {key} = {}", said(key).unwrap_or(usual))?,
            Says(key, usual) => {
                let line = format!(" {key} {}", said(key).unwrap_or(usual));
                writeln!(out, "{}", line.trim_end())?;
            }
            May(key) => match said(key) {
                None => {}
                // A list: one to a line.
                Some(values) if *key == "Email notification to" => {
                    writeln!(out, " {key}:")?;
                    for value in values.split('\n') {
                        writeln!(out, "   {value}")?;
                    }
                }
                Some(value) => writeln!(out, " {key} = {value}")?,
            },
            Alone(key) => {
                if said(key).is_some() {
                    writeln!(out, " {key}")?;
                }
            }
            Test => match said("Test config before reload, log to") {
                Some(log) => writeln!(out, " Test config before reload, log to {log}")?,
                None => writeln!(out, " No test config before reload")?,
            },
            Fifos => {
                write_fifo(out, "Global", &telling.fifo)?;
                write_fifo(out, "VRRP", &telling.vrrp_fifo)?;
            }
        }
    }
    Ok(())
}

/// What the plan says of the process, options of the command line included.
fn of_process(process: &VrrpProcess) -> BTreeMap<&'static str, String> {
    let VrrpProcess { instance, net_namespace, umask, names, scheduling, buffers, .. } = process;
    let reload = &process.reload;
    let mut lines = BTreeMap::new();
    let mut put = |key, value: Option<String>| {
        if let Some(value) = value {
            lines.insert(key, value);
        }
    };
    let set = |value: bool| value.then(|| "true".to_owned());
    let micros = |time: Option<Duration>| time.map(|time| time.as_micros());
    put("Network namespace", net_namespace.clone());
    put("Instance name", instance.clone());
    put("Parent process name", names.parent.clone());
    put("VRRP process name", names.vrrp.clone());
    put("Max auto priority", Some(scheduling.most_automatic.to_string()));
    let after = micros(scheduling.automatic_after);
    put("Min auto priority delay", after.map(|micros| format!("{micros} usecs")));
    put("VRRP process priority", scheduling.nice.map(|nice| nice.to_string()));
    put("VRRP don't swap", set(scheduling.no_swap));
    put("VRRP realtime priority", scheduling.realtime.map(|priority| priority.to_string()));
    let cpus: Vec<String> = scheduling.cpus.iter().map(u16::to_string).collect();
    put("VRRP CPU Affinity", (!cpus.is_empty()).then(|| cpus.join(" ")));
    put("current realtime priority", scheduling.realtime.map(|priority| priority.to_string()));
    let limit = scheduling.realtime.and_then(|_| micros(scheduling.realtime_limit));
    let usual = scheduling.realtime.map(|_| 10_000);
    put("current realtime time limit", limit.or(usual).map(|limit| limit.to_string()));
    put("VRRP realtime limit", micros(scheduling.realtime_limit).map(|limit| limit.to_string()));
    let force = |value: bool| value.then(|| "1".to_owned());
    put("vrrp_netlink_cmd_rcv_bufs", buffers.command.map(|bytes| bytes.to_string()));
    put("vrrp_netlink_cmd_rcv_bufs_force", force(buffers.force_command));
    put("vrrp_netlink_monitor_rcv_bufs", buffers.monitor.map(|bytes| bytes.to_string()));
    put("vrrp_netlink_monitor_rcv_bufs_force", force(buffers.force_monitor));
    let shown = |path: &std::path::PathBuf| path.display().to_string();
    put("Config save dir", reload.save.as_ref().map(shown));
    let repeat = if reload.repeat { " (repeat)" } else { "" };
    let time_file = reload.time_file.as_ref().map(shown);
    put("Reload time file", time_file.map(|file| format!("{file}{repeat}")));
    put("Reload_file", reload.marker.as_ref().and_then(|it| it.path.as_ref()).map(shown));
    let log = |check: &Check| check.log.as_ref().map_or(String::new(), shown);
    put("Test config before reload, log to", reload.check.as_ref().map(log));
    put("umask", umask.map(|mask| format!("0{mask:o}")));
    lines
}

fn of_snmp(snmp: &Snmp) -> BTreeMap<&'static str, String> {
    let switches = [
        ("SNMP vrrp", snmp.vrrp),
        ("SNMP checker", snmp.checker),
        ("SNMP RFCv2", snmp.rfc2),
        ("SNMP RFCv3", snmp.rfc3),
        ("SNMP traps", snmp.traps),
    ];
    let on = switches.into_iter().filter(|(_, on)| *on);
    let mut lines: BTreeMap<_, _> = on.map(|(key, _)| (key, "enabled".to_owned())).collect();
    lines.extend(snmp.socket.clone().map(|socket| ("SNMP socket", socket)));
    lines
}

fn write_fifo(out: &mut String, which: &str, it: &FifoWithScript) -> Result {
    let ids = |user: &Option<crate::plan::track::RunAs>| {
        user.as_ref().map_or("0:0".to_owned(), |user| format!("{}:{}", user.uid, user.gid))
    };
    if let Some(fifo) = &it.fifo {
        let path = fifo.path.display();
        writeln!(out, " {which} notify fifo = {path}, uid:gid {}", ids(&fifo.owner))?;
    }
    if let Some(script) = &it.script {
        let mut argv = script.argv.clone();
        argv.extend(it.fifo.iter().map(|fifo| fifo.path.to_string_lossy().into_owned()));
        let command = words::command(&argv);
        writeln!(out, " {which} notify fifo script = {command}, uid:gid {}", ids(&script.user))?;
    }
    Ok(())
}
