//! What the machine and its shell (`runtime::vrrp`) say to each other.

use std::net::IpAddr;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::plan::route::{Route, Rule};
use crate::plan::vrrp::{VirtualAddress, VirtualRouter};
use crate::vrrp::packet::Outgoing;
use crate::vrrp::track::{Standing, Verdict};

/// RFC 9568's names; text for users says MASTER and BACKUP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Not started, shut down, or still waiting for the first result of a script that could fault
    /// this router.
    Initialize,
    Backup,
    Active,
    /// keepalived's: a tracked object or the interface keeps this router from taking part.
    Fault,
}

impl State {
    /// The word that users, notify scripts and dumps see.
    pub fn word(self) -> &'static str {
        match self {
            State::Initialize => "INIT",
            State::Backup => "BACKUP",
            State::Active => "MASTER",
            State::Fault => "FAULT",
        }
    }
}

/// Why a router became active (RFC 6527, `vrrpv3StatisticsNewMasterReason`), as keepalived was seen
/// to tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActiveReason {
    /// The one before it said goodbye.
    Priority = 1,
    /// It has a higher priority, or begins as the owner of the addresses.
    Preempted = 2,
    /// Nobody was heard.
    NoResponse = 3,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Take off what an earlier daemon may have left. keepalived does so at its start for all
    /// instances before any of them begins, and not for those that a reload adds. `there`: its
    /// interface exists.
    Sweep { there: bool },
    /// Begin. Tell [`Event::Interface`] and [`Event::Tracking`] before, so that it is known how.
    Start,
    /// Begin in place of a process that was active and died just now: its addresses are still on
    /// their interfaces, and nobody else can have taken over yet.
    Resume,
    /// Nobody is to be thought dead, and nothing to be taken over, before this time. Tell it before
    /// [`Event::Start`].
    ListenUntil(Instant),
    /// The deadline has come.
    Timeout,
    /// It has, but nothing can be sent yet from the source address, which is still being checked for
    /// duplicates (RFC 4862 section 5.4): nobody would hear of a new active router.
    Unready,
    /// It has, but nothing could be heard meanwhile (there is no socket): silence tells nothing about
    /// the others, and it is waited for anew. The same when a socket has come.
    Deaf,
    /// A VRRP packet came in on this router's interface for its VRID (or any VRID that the shell
    /// could read from a malformed one). The machine validates it.
    Packet(Received),
    /// The interface: up or down, and its primary address of the router's family (over IPv6 a
    /// link-local one). For a router with unicast peers
    /// and a source address of its own: that one, if this host has it.
    Interface { up: bool, primary: Option<IpAddr> },
    /// What tracking makes of this router now (see [`weigh`](crate::vrrp::track::weigh)).
    Tracking(Verdict),
    /// In a sync group: the worst standing among its other members. `None`: in no group (any more).
    Mates(Option<Standing>),
    /// In a sync group: all members become active now.
    Activate,
    /// In a sync group: another member has stepped back, with a goodbye or without.
    StepBack { goodbye: bool },
    /// In a sync group: another member has heard a router of lower priority.
    Contested,
    /// The same, because a tracked file is no longer a fault; does it add anything? What the log
    /// says is another line then.
    Recovered { verdict: Verdict, adds: bool },
    /// A virtual address vanished from its interface though this node is active.
    AddressLost(VirtualAddress),
    /// The same with a route or rule, named for people.
    BelongingLost(String),
    /// A new config for what is [still](super::Machine::is_still) the same router, and what tracking
    /// makes of it by that: only differences become actions.
    Reconfigure(Box<VirtualRouter>, Verdict),
    /// Somebody asks for gratuitous ARPs. Only an active router sends them.
    Announce,
    /// Leave in an orderly way: priority 0, addresses off.
    Shutdown,
}

/// A packet as it came: IP header's facts and the VRRP bytes behind it.
#[derive(Clone, Debug)]
pub struct Received {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Or hop limit.
    pub ttl: u8,
    /// IPv4's; `auth_type AH` covers it.
    pub identification: u16,
    /// What stands behind the IP header: VRRP's PDU, with an authentication header in front where
    /// the config says so.
    pub pdu: Vec<u8>,
}

/// What the shell has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send an advert to the group or a peer.
    Send(Outgoing),
    /// Put the addresses on their interfaces (already there: fine).
    AddAddresses(Vec<VirtualAddress>),
    /// Take them off (already gone: fine).
    RemoveAddresses(Vec<VirtualAddress>),
    /// From now on (and no longer) drop packets to and from these: `no_accept`.
    DropPackets(Vec<VirtualAddress>),
    AcceptPackets(Vec<VirtualAddress>),
    /// The same with routes and rules; the last one is removed first.
    AddRoutes(Vec<Route>),
    RemoveRoutes(Vec<Route>),
    AddRules(Vec<Rule>),
    RemoveRules(Vec<Rule>),
    /// One gratuitous ARP (IPv6: unsolicited neighbour advertisement) for the address, as soon as
    /// the [pace](crate::vrrp::pace) of its interface allows. How many of the burst came before it.
    Announce(VirtualAddress, u32),
    /// The state changed: run notify scripts, tell who watches. `priority` is the effective one.
    /// To [`State::Initialize`]: this router stops.
    Transition {
        from: State,
        to: State,
        priority: u8,
    },
    /// An active router of lower priority than this one's (given) was heard by this active one: run
    /// `notify_master_rx_lower_pri`, tell who watches.
    RivalHeard {
        priority: u8,
    },
    /// In a sync group: the wait for the active router is over; [`Event::Activate`] makes this one
    /// active when all members have missed theirs.
    Expired,
    /// A line for the log, worded as keepalived words it.
    Log(LogLevel, String),
    /// Something countable happened.
    Count(Counter),
}

/// `Debug` is what keepalived writes only with `-D` (`--log-detail`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

/// keepalived's statistics, one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counter {
    /// Adverts that were valid; lower priority and priority 0 included.
    AdvertReceived,
    /// Adverts sent; priority 0 included.
    AdvertSent,
    BecomeMaster,
    ReleaseMaster,
    PacketLengthError,
    ChecksumError,
    VersionError,
    VridError,
    TtlError,
    TypeError,
    AdvertIntervalError,
    AddressListError,
    InvalidAuthType,
    AuthTypeMismatch,
    AuthFailure,
    /// `auth_hmac`: no trailer, and five ways in which one can be wrong.
    AuthExtMissing,
    AuthExtMalformed,
    AuthExtUnknownKey,
    AuthExtInvalidHmac,
    AuthExtStale,
    AuthExtReplay,
    PriorityZeroReceived,
    PriorityZeroSent,
}
