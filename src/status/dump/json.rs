//! `keepalived.json`: what exporters read. One line, an array of `{"data": …, "stats": …}`, with
//! keepalived's order of keys and its `\/` for a slash.

use std::fmt::Display;

use super::{placed, words};
use crate::plan::vrrp::{Authentication, Version};
use crate::status::snapshot::{RouterView, Snapshot};
use crate::vrrp::machine::{Counter, State};

/// The whole file.
pub fn render(snapshot: &Snapshot) -> String {
    let routers: Vec<String> = snapshot.routers.iter().map(|it| router(it, snapshot)).collect();
    match snapshot.telling.dumps.second_json {
        // 2.4's, by what its manual says: the array has a name.
        true => format!("{{\"vrrp\":[{}]}}\n", routers.join(",")),
        false => format!("[{}]\n", routers.join(",")),
    }
}

fn router(it: &RouterView, snapshot: &Snapshot) -> String {
    format!("{{\"data\":{},\"stats\":{}}}", data(it, snapshot), stats(it))
}

/// Members of an object, in order.
struct Object(Vec<String>);

impl Object {
    fn put(&mut self, key: &str, value: impl Display) {
        self.0.push(format!("\"{key}\":{value}"));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.put(key, text(value));
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            let values: Vec<String> = values.iter().map(|value| text(value)).collect();
            self.put(key, format!("[{}]", values.join(",")));
        }
    }

    fn close(self) -> String {
        format!("{{{}}}", self.0.join(","))
    }
}

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string().replace('/', "\\/")
}

/// Names are keepalived's, misspellings included: people's tools read them.
fn data(it: &RouterView, snapshot: &Snapshot) -> String {
    let config = &it.config;
    let garp = &config.garp;
    let (heard_priority, heard_interval) = it.active.unwrap_or((0, config.advert_interval));
    let mut out = Object(Vec::new());
    out.text("iname", &config.name);
    out.put("dont_track_primary", u8::from(config.tracking.dont_track_primary));
    out.put("skip_check_adv_addr", u8::from(config.wire.trust_known_sender));
    out.put("strict_mode", u8::from(config.conduct.strict));
    let device = config.device.as_ref();
    out.text("vmac_ifname", device.map_or("", |device| &device.name));
    out.text("ifp_ifname", config.address_interface());
    out.put("master_priority", heard_priority);
    out.put("last_transition", words::time(it.last_transition));
    out.put("garp_delay", garp.delay.as_secs());
    out.put("garp_refresh", garp.refresh.as_secs());
    out.put("garp_rep", garp.repeat);
    out.put("garp_refresh_rep", garp.refresh_repeat);
    out.put("garp_lower_prio_delay", garp.lower_priority_delay.as_secs());
    out.put("garp_lower_prio_rep", garp.lower_priority_repeat);
    let conduct = &config.conduct;
    out.put("lower_prio_no_advert", u8::from(conduct.lower_priority_no_advert));
    out.put("higher_prio_send_advert", u8::from(conduct.higher_priority_send_advert));
    out.put("vrid", config.vrid);
    out.put("base_priority", config.priority);
    out.put("effective_priority", it.priority);
    out.put("vipset", it.state == State::Active && !config.addresses.is_empty());
    out.put("promote_secondaries", config.belongings.promote_secondaries);
    out.put("adver_int", config.advert_interval.as_secs_f64());
    out.put("master_adver_int", heard_interval.as_secs_f64());
    out.put("accept", u8::from(!config.belongings.drop_packets));
    out.put("nopreempt", !config.preempt);
    out.put("preempt_delay", config.preempt_delay.as_secs());
    out.put("state", words::number(words::state(it)));
    out.put("wantstate", words::number(words::wanted(it)));
    out.put("version", if config.version == Version::V2 { 2 } else { 3 });
    out.put("smtp_alert", config.telling.mail);
    out.put("notify_deleted", config.telling.deleted.is_some());
    let notify = &config.notify;
    let deleted = config.telling.deleted.as_ref().and_then(|deleted| deleted.script.clone());
    let scripts = [
        ("script_backup", &notify.backup),
        ("script_master", &notify.master),
        ("script_fault", &notify.fault),
        ("script_stop", &notify.stop),
        ("script_deleted", &deleted),
        ("script", &notify.any),
        ("script_master_rx_lower_pri", &config.telling.lower_priority_heard),
    ];
    for (key, script) in scripts {
        if let Some(script) = script {
            out.text(key, &words::command(&script.argv));
        }
    }
    out.texts("vips", &placed::addresses(it));
    out.texts("evips", &placed::excluded(it));
    out.texts("vroutes", &placed::routes(config));
    out.texts("vrules", &placed::rules(config));
    // What the group tracks is none of the instance's.
    let interfaces = config.tracking.interfaces.iter().filter(|line| !line.by_group);
    let interfaces: Vec<String> = interfaces.map(|line| line.what.clone()).collect();
    out.texts("track_ifp", &interfaces);
    let own = config.scripts.iter().filter(|line| !line.by_group);
    let tracked = own.filter_map(|line| snapshot.scripts.get(line.script.0));
    let commands: Vec<String> =
        tracked.map(|script| words::command(script.config.check.argv())).collect();
    out.texts("track_script", &commands);
    match config.authentication.as_ref().filter(|_| config.version == Version::V2) {
        None => out.put("auth_type", 0),
        Some(Authentication::Pass(secret)) => {
            out.put("auth_type", 1);
            out.text("auth_data", &format!("{secret:?}"));
        }
        Some(Authentication::Header(secret)) => {
            out.put("auth_type", 2);
            out.text("auth_data", &format!("{secret:?}"));
        }
    }
    out.close()
}

const AUTHENTICATION_EXTENSION: [(&str, Counter); 6] = [
    ("auth_ext_missing", Counter::AuthExtMissing),
    ("auth_ext_malformed", Counter::AuthExtMalformed),
    ("auth_ext_unknown_key", Counter::AuthExtUnknownKey),
    ("auth_ext_invalid_hmac", Counter::AuthExtInvalidHmac),
    ("auth_ext_stale", Counter::AuthExtStale),
    ("auth_ext_replay", Counter::AuthExtReplay),
];

fn stats(it: &RouterView) -> String {
    let counters = [
        ("advert_rcvd", Counter::AdvertReceived),
        ("advert_sent", Counter::AdvertSent),
        ("become_master", Counter::BecomeMaster),
        ("release_master", Counter::ReleaseMaster),
        ("packet_len_err", Counter::PacketLengthError),
        ("advert_interval_err", Counter::AdvertIntervalError),
        ("ip_ttl_err", Counter::TtlError),
        ("invalid_type_rcvd", Counter::TypeError),
        ("addr_list_err", Counter::AddressListError),
        ("invalid_authtype", Counter::InvalidAuthType),
        ("authtype_mismatch", Counter::AuthTypeMismatch),
        ("auth_failure", Counter::AuthFailure),
        ("pri_zero_rcvd", Counter::PriorityZeroReceived),
        ("pri_zero_sent", Counter::PriorityZeroSent),
    ];
    let mut out = Object(Vec::new());
    for (key, counter) in counters {
        out.put(key, it.counter(counter));
    }
    // 2.4's; an instance without `auth_hmac` has none of these errors.
    if it.config.wire.hmac.is_some() {
        for (key, counter) in AUTHENTICATION_EXTENSION {
            out.put(key, it.counter(counter));
        }
    }
    out.close()
}
