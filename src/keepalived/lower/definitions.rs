//! What `global_defs` says, in the words of keepalived's dump (`keepalived.data`): there it is
//! shown as it was written, while most of it is resolved into instances here.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::super::config::network::GlobalNetwork;
use super::super::config::wire::BufferPolicy;
use super::Lowering;
use super::device::PRIORITY;
use crate::plan::device::Firewall;
use crate::plan::telling::Telling;

/// Lines of the dump that differ from what stands there by default.
#[derive(Default)]
struct Definitions(BTreeMap<String, String>);

impl Definitions {
    fn put(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value.to_string());
        }
    }
}

/// What there is to be seen of the firewall, where one is asked for or needed.
pub(super) fn of_firewall(
    globals: &GlobalNetwork,
    needed: Option<&Firewall>,
) -> BTreeMap<String, String> {
    let mut out = Definitions::default();
    let usual = Firewall {
        table: globals.firewall.clone().unwrap_or_default(),
        priority: globals.firewall_priority.unwrap_or(PRIORITY),
        counters: globals.firewall_counters,
        implied: false,
    };
    if let Some(it) = needed.or(globals.firewall.is_some().then_some(&usual)) {
        out.put("nftables table name", Some(&it.table));
        out.put("nftables base chain priority", Some(it.priority));
        out.put("nftables don't force use ifindex for link local IPv6", Some(""));
        out.put("nftables", it.counters.then_some("with counters"));
    }
    out.0
}

fn on(value: Option<bool>) -> Option<&'static str> {
    value.map(|on| if on { "on" } else { "off" })
}

fn set(value: bool) -> Option<&'static str> {
    value.then_some("true")
}

impl Lowering<'_> {
    pub(super) fn definitions(&self, telling: &Telling) -> BTreeMap<String, String> {
        let globals = &self.config.globals;
        let said = &globals.telling;
        let mut out = Definitions::default();
        let host = self.host.hostname();
        let text = |at: &Option<super::super::config::At<String>>, usual: String| {
            at.as_ref().map_or(usual, |at| at.value.clone())
        };
        if let Some(server) = said.servers.last() {
            let address = telling.mail.as_ref().map(|mail| mail.server.ip().to_string());
            out.put("Smtp server", Some(address.unwrap_or_else(|| server.host.clone())));
            out.put("Smtp server port", Some(server.port));
            out.put("Smtp HELO name", Some(text(&said.helo, host.clone())));
            let timeout = said.timeout.unwrap_or(super::telling::SMTP_TIMEOUT);
            out.put("Smtp server connection timeout", Some(timeout.as_secs()));
        }
        if !said.emails.is_empty() {
            let from = text(&said.from, format!("{}@{host}", self.host.own_name()));
            out.put("Email notification from", Some(from));
            let emails: Vec<&str> = said.emails.iter().map(|at| at.value.as_str()).collect();
            out.put("Email notification to", Some(emails.join("\n")));
        }
        out.put("Default smtp_alert", on(said.mail));
        out.put("Default smtp_alert_vrrp", on(said.vrrp_mail));
        out.put("Default smtp_alert_checker", on(said.checker_mail));
        out.put("Send emails for fault transitions", said.no_email_faults.then_some("off"));
        out.put("Dynamic interfaces", globals.dynamic_interfaces.map(|_| "true"));
        let may_change = globals.network.interfaces_may_change;
        let may_change = globals.dynamic_interfaces.map(|_| may_change);
        out.put("Allow interface changes", may_change);
        out.put("FIFO write vrrp states on reload", set(said.states_on_reload));
        out.put("VRRP notify priority changes", set(said.priority_changes));
        out.put("VRRP IPv4 mcast group", globals.group.as_ref().map(|at| at.value));
        out.put("VRRP default protocol version", globals.version.as_ref().map(|at| at.value));
        out.put("VRRP check unicast_src", set(globals.check_unicast_src));
        let wire = &globals.wire;
        out.put("VRRP IPv6 mcast group", wire.group6.as_ref().map(|at| at.value));
        out.put("VRRP skip check advert addresses", set(wire.trust_known_sender));
        out.put("Disable local IGMP", wire.no_local_igmp.then_some("yes"));
        out.put("rx_bufs_multiples", wire.buffer_multiplier);
        self.garp_definitions(&mut out);
        self.network_definitions(&mut out);
        out.put("Use instance name in data dumps", telling.dumps.use_instance.then_some(""));
        let conduct = &globals.conduct;
        out.put("Num adverts before down", conduct.down_timer_adverts);
        let key = "Send advert after receive lower priority advert";
        out.put(key, conduct.lower_priority_no_advert.then_some("false"));
        let key = "Send advert after receive higher priority advert";
        out.put(key, set(conduct.higher_priority_send_advert));
        let delay = conduct.startup_delay;
        out.put("vrrp_startup_delay", (!delay.is_zero()).then_some(delay.as_secs_f64()));
        out.put("VRRP strict mode", conduct.strict.map(|_| "true"));
        out.put("DBus", said.dbus.then_some("enabled"));
        let name = said.dbus_name.as_ref().map(|at| at.value.clone());
        out.put("DBus service name", name);
        out.put("Script security", globals.script_security.map(|_| "enabled"));
        let user = self.scripts.default_user().filter(|user| (user.uid, user.gid) != (0, 0));
        out.put("Default script uid:gid", user.map(|user| format!("{}:{}", user.uid, user.gid)));
        out.0
    }

    fn network_definitions(&self, out: &mut Definitions) {
        let network = &self.config.globals.network;
        let wire = &self.config.globals.wire;
        out.put("Default interface", network.default_interface.as_ref().map(|at| &at.value));
        out.put("VMAC prefix", network.vmac_prefix.as_ref());
        out.put("VMAC address prefix", network.vmac_address_prefix.as_ref());
        out.put("log_unknown_vrids", wire.log_unknown_vrids.then_some(""));
        match wire.buffers {
            Some(BufferPolicy::Mtu) => out.put("rx_bufs_policy", Some("MTU")),
            Some(BufferPolicy::Advert) => out.put("rx_bufs_policy", Some("ADVERT")),
            Some(BufferPolicy::Bytes(bytes)) => out.put("rx_bufs_size", Some(bytes)),
            None => {}
        }
    }

    fn garp_definitions(&self, out: &mut Definitions) {
        let globals = &self.config.globals;
        let garp = &globals.garp;
        let seconds = |at: &super::super::config::At<std::time::Duration>| at.value.as_secs();
        let least = |number: u64| globals.min_garp.then_some(number);
        let delay = garp.delay.as_ref().map(seconds).or(least(0));
        let repeat = garp.repeat.as_ref().map(|at| at.value).or(globals.min_garp.then_some(1));
        out.put("Gratuitous ARP delay", delay);
        out.put("Gratuitous ARP repeat", repeat);
        out.put("Gratuitous ARP refresh timer", garp.refresh.as_ref().map(seconds));
        let refresh = garp.refresh_repeat.as_ref().map(|at| u64::from(at.value)).or(least(0));
        out.put("Gratuitous ARP refresh repeat", refresh);
        let lower = garp.lower_priority_delay.as_ref().map(seconds).or(delay);
        out.put("Gratuitous ARP lower priority delay", lower);
        let lower = garp.lower_priority_repeat.as_ref().map(|at| at.value).or(repeat);
        out.put("Gratuitous ARP lower priority repeat", lower);
        let extra = globals.conduct.extra.as_ref();
        let extra = extra.map(|at| format!("{}s", at.value.every.as_secs()));
        out.put("Gratuitous ARP for each secondary VMAC", extra);
        let interval = globals.garp_interval.as_ref();
        let interval = interval.map(|at| format!("{:.6}", at.value.as_secs_f64()));
        out.put("Gratuitous ARP interval", interval);
        let interval = globals.wire.neighbour_interval.as_ref();
        let interval = interval.map(|at| format!("{:.6}", at.as_secs_f64()));
        out.put("Gratuitous NA interval", interval);
    }
}
