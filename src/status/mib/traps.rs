//! What is told as notifications, each as its kind and its objects.
//!
//! keepalived names the objects of its own traps without the row that they are of; so do these,
//! since what reads them goes by that.

use std::net::IpAddr;

use super::{KEEPALIVED, RFC2787, RFC6527, keepalived, rfc2787, rfc6527};
use crate::agentx::{Oid, Value, VarBind};
use crate::plan::vrrp::VirtualRouter;
use crate::status::notice::News;
use crate::vrrp::machine::{ActiveReason, Counter};

/// A notification's kind and objects.
pub type Trap = (Oid, Vec<VarBind>);

/// VrrpState of a change; `None`: it isn't one of state.
fn state(news: News) -> Option<Value> {
    Some(Value::Integer(match news {
        News::Backup => 1,
        News::Master => 2,
        News::Fault => 3,
        News::Stop => 5,
        News::Deleted => 6,
        News::MasterPriority | News::BackupPriority | News::MasterRxLowerPriority => return None,
    }))
}

fn bind(root: &[u32], numbers: &[u32], value: Value) -> VarBind {
    VarBind { name: Oid::new(root).join(numbers), value }
}

/// vrrpInstanceStateChange
pub fn instance(router: &VirtualRouter, news: News, router_id: &str) -> Option<Trap> {
    let binds = vec![
        bind(&KEEPALIVED, &[2, 3, 1, 2], Value::text(&router.name)),
        bind(&KEEPALIVED, &[2, 3, 1, 4], state(news)?),
        bind(&KEEPALIVED, &[2, 3, 1, 5], keepalived::initial(router)),
        bind(&KEEPALIVED, &[1, 2, 0], Value::text(router_id)),
    ];
    Some((Oid::new(&KEEPALIVED).join(&[2, 10, 0, 2]), binds))
}

/// vrrpSyncGroupStateChange
pub fn group(name: &str, news: News, router_id: &str) -> Option<Trap> {
    let binds = vec![
        bind(&KEEPALIVED, &[2, 1, 1, 2], Value::text(name)),
        bind(&KEEPALIVED, &[2, 1, 1, 3], state(news)?),
        bind(&KEEPALIVED, &[1, 2, 0], Value::text(router_id)),
    ];
    Some((Oid::new(&KEEPALIVED).join(&[2, 10, 0, 1]), binds))
}

/// vrrpTrapNewMaster (RFC 2787)
pub fn new_master(router: &VirtualRouter, interface: u32, source: Option<IpAddr>) -> Trap {
    let index = [interface, router.vrid.into()];
    let name = [&[1, 3, 1, 7], &index[..]].concat();
    let binds = vec![bind(&RFC2787, &name, rfc2787::ipv4(source))];
    (Oid::new(&RFC2787).join(&[0, 1]), binds)
}

/// vrrpTrapAuthFailure (RFC 2787); `None`: it was something else.
pub fn authentication_failure(
    router: &VirtualRouter,
    interface: u32,
    fault: Counter,
    sender: Option<IpAddr>,
) -> Option<Trap> {
    let kind = match fault {
        Counter::InvalidAuthType => 1,
        Counter::AuthTypeMismatch => 2,
        Counter::AuthFailure => 3,
        _ => return None,
    };
    let index = [interface, router.vrid.into()];
    let binds = vec![
        bind(&RFC2787, &[&[1, 5], &index[..]].concat(), rfc2787::ipv4(sender)),
        bind(&RFC2787, &[&[1, 6], &index[..]].concat(), Value::Integer(kind)),
    ];
    Some((Oid::new(&RFC2787).join(&[0, 2]), binds))
}

/// vrrpv3NewMaster (RFC 6527)
pub fn new_active(
    router: &VirtualRouter,
    interface: u32,
    source: Option<IpAddr>,
    reason: ActiveReason,
) -> Trap {
    let index = rfc6527::index(interface, router);
    let binds = vec![
        bind(&RFC6527, &[&[1, 1, 1, 1, 3], &index[..]].concat(), rfc6527::one_of(router, source)),
        bind(&RFC6527, &[&[1, 2, 5, 1, 2], &index[..]].concat(), rfc6527::reason(Some(reason))),
    ];
    (Oid::new(&RFC6527).join(&[0, 1]), binds)
}

/// vrrpv3ProtoError (RFC 6527)
pub fn protocol_error(router: &VirtualRouter, interface: u32, fault: Counter) -> Trap {
    let index = rfc6527::index(interface, router);
    let name = [&[1, 2, 5, 1, 6], &index[..]].concat();
    let binds = vec![bind(&RFC6527, &name, rfc6527::fault(Some(fault)))];
    (Oid::new(&RFC6527).join(&[0, 2]), binds)
}
