//! How the processes run.

use crate::keepalived::config::process::Process;
use crate::plan::vrrp_process::{Names, VrrpProcess};

/// keepalived's own, for `process_names`.
const PARENT: &str = "keepalived";
const VRRP: &str = "keepalived_vrrp";

pub(super) fn process(config: &Process) -> VrrpProcess {
    let mut plan = config.plan.clone();
    if config.own_names {
        let Names { parent, vrrp } = plan.names;
        plan.names = Names {
            parent: parent.or_else(|| Some(PARENT.to_owned())),
            vrrp: vrrp.or_else(|| Some(VRRP.to_owned())),
        };
    }
    plan
}
