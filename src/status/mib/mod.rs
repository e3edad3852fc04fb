//! What SNMP managers see of a running daemon: keepalived's own MIB and those of the RFCs, as
//! [trees](crate::agentx::tree) of objects, and what is told as traps.
//!
//! The objects are those that Debian's keepalived 2.2.7 was seen to show
//! (`compat-tests/snmp.rs`), meant as the MIBs say that its package installs
//! (`/usr/share/snmp/mibs`). [`keepalived`] has KEEPALIVED-MIB, [`rfc2787`] and [`rfc6527`] the
//! MIBs of VRRP version 2 and 3, [`traps`] the notifications.

mod global;
mod keepalived;
mod placed;
mod rfc2787;
mod rfc6527;
mod tracked;
pub mod traps;

use std::net::IpAddr;
use std::time::SystemTime;

use super::snapshot::{RouterView, Snapshot};
use crate::agentx::tree::Tree;
use crate::agentx::{Oid, Value};
use crate::plan::telling::Snmp;

/// Debian's number for keepalived's MIB, as all its packages use it.
const KEEPALIVED: [u32; 9] = [1, 3, 6, 1, 4, 1, 9586, 100, 5];
const RFC2787: [u32; 7] = [1, 3, 6, 1, 2, 1, 68];
const RFC6527: [u32; 7] = [1, 3, 6, 1, 2, 1, 207];

/// What a snapshot alone doesn't say.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// How the daemon names itself and its version.
    pub version: &'a str,
    pub now: SystemTime,
    /// The agent's sysUpTime, in hundredths of a second.
    pub uptime: u32,
}

/// By what name a subagent opens a session.
pub fn own_id() -> Oid {
    Oid::new(&KEEPALIVED)
}

/// The subtrees that are answered for.
pub fn subtrees(snmp: &Snmp) -> Vec<Oid> {
    let mut subtrees = Vec::new();
    if snmp.vrrp {
        subtrees.push(Oid::new(&KEEPALIVED).join(&[1]));
        subtrees.push(Oid::new(&KEEPALIVED).join(&[2]));
    }
    if snmp.rfc2 {
        subtrees.push(Oid::new(&RFC2787));
    }
    if snmp.rfc3 {
        subtrees.push(Oid::new(&RFC6527));
    }
    subtrees
}

/// All objects that the config wants shown.
pub fn tree(snapshot: &Snapshot, moment: Moment) -> Tree {
    let mut out = Objects::default();
    let snmp = &snapshot.telling.snmp;
    if snmp.vrrp {
        out.root = Oid::new(&KEEPALIVED);
        global::write(&mut out, snapshot, moment);
        keepalived::write(&mut out, snapshot);
    }
    if snmp.rfc2 {
        out.root = Oid::new(&RFC2787);
        rfc2787::write(&mut out, snapshot, moment);
    }
    if snmp.rfc3 {
        out.root = Oid::new(&RFC6527);
        rfc6527::write(&mut out, snapshot, moment);
    }
    Tree::new(out.kinds, out.values)
}

/// What is gathered.
#[derive(Debug, Default)]
struct Objects {
    root: Oid,
    kinds: Vec<Oid>,
    values: Vec<(Oid, Value)>,
}

impl Objects {
    /// There can be these columns of a table (or scalars of a group), from one number to another.
    fn kinds(&mut self, at: &[u32], columns: std::ops::RangeInclusive<u32>) {
        let root = self.root.join(at);
        self.kinds.extend(columns.map(|column| root.join(&[column])));
    }

    fn scalar(&mut self, at: &[u32], value: Value) {
        self.values.push((self.root.join(at).join(&[0]), value));
    }

    fn row(&mut self, table: &[u32], index: &[u32]) -> Row<'_> {
        let (entry, index) = (self.root.join(table).join(&[1]), index.to_vec());
        Row { entry, index, out: &mut self.values }
    }
}

/// One row of a table.
struct Row<'a> {
    entry: Oid,
    index: Vec<u32>,
    out: &'a mut Vec<(Oid, Value)>,
}

impl Row<'_> {
    fn put(&mut self, column: u32, value: Value) {
        self.out.push((self.entry.join(&[column]).join(&self.index), value));
    }

    /// Only where there is one.
    fn may(&mut self, column: u32, value: Option<Value>) {
        if let Some(value) = value {
            self.put(column, value);
        }
    }
}

/// Rows are counted from 1.
fn place(at: usize) -> u32 {
    at as u32 + 1
}

/// TruthValue (RFC 2579), and `enabled(1), disabled(2)`.
fn truth(is_so: bool) -> Value {
    Value::Integer(if is_so { 1 } else { 2 })
}

/// InetAddressType (RFC 4001).
fn family(address: IpAddr) -> Value {
    Value::Integer(if address.is_ipv4() { 1 } else { 2 })
}

/// InetAddress (RFC 4001).
fn address(address: IpAddr) -> Value {
    Value::Octets(match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    })
}

/// InetScopeType (RFC 4007) of a kernel's scope: one for which there is no word is the widest.
fn scope(scope: crate::plan::address::Scope) -> Value {
    Value::Integer(match scope.0 {
        254 => 1,
        253 => 2,
        200 => 5,
        _ => 14,
    })
}

/// An interface's number.
fn index_of(name: &str, all: &Snapshot) -> Option<u32> {
    all.interfaces.iter().find(|it| it.name == name).map(|it| it.index)
}

fn interface_index(name: &str, all: &Snapshot) -> Option<Value> {
    index_of(name, all).map(|index| Value::Integer(index as i32))
}

/// The hardware address that a router's addresses are at.
fn hardware(router: &RouterView, all: &Snapshot) -> Option<Value> {
    let name = router.config.address_interface();
    let interface = all.interfaces.iter().find(|it| it.name == name)?;
    Some(Value::Octets(interface.mac?.to_vec()))
}

/// Hundredths of a second since a router left its initial state; `None`: it hasn't.
fn age(router: &RouterView, now: SystemTime) -> Option<u32> {
    let since = now.duration_since(router.up_since?).unwrap_or_default();
    Some((since.as_millis() / 10) as u32)
}
