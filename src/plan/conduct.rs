//! How a virtual router behaves where the RFCs leave a choice, or keepalived takes one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{is_default, seconds};

/// An instance's choices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conduct {
    /// `down_timer_adverts`, 1..=100: missed adverts until the active router counts as dead.
    pub down_timer_adverts: u8,
    /// `lower_prio_no_advert`: an advert of lower priority isn't answered by one of ours.
    #[serde(skip_serializing_if = "is_default")]
    pub lower_priority_no_advert: bool,
    /// `higher_prio_send_advert`: one more advert before giving way to a higher priority.
    #[serde(skip_serializing_if = "is_default")]
    pub higher_priority_send_advert: bool,
    /// `owner_ignore_adverts`: the owner of the addresses (priority 255) doesn't listen.
    #[serde(skip_serializing_if = "is_default")]
    pub owner_ignores_adverts: bool,
    /// `timer_expired_backup`: the highest priority that another node may have. An active router
    /// steps back as soon as its timers are so late that such a one may have taken over.
    #[serde(skip_serializing_if = "is_default")]
    pub step_back_when_late: Option<u8>,
    /// `strict_mode`; what it changes of other settings is changed there.
    #[serde(skip_serializing_if = "is_default")]
    pub strict: bool,
}

/// RFC 3768 section 6.1's.
pub const DOWN_TIMER_ADVERTS: u8 = 3;

impl Default for Conduct {
    fn default() -> Self {
        Conduct {
            down_timer_adverts: DOWN_TIMER_ADVERTS,
            lower_priority_no_advert: false,
            higher_priority_send_advert: false,
            owner_ignores_adverts: false,
            step_back_when_late: None,
            strict: false,
        }
    }
}

/// What concerns all routers of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommonConduct {
    /// `vrrp_startup_delay`: routers only listen for this long after the start.
    #[serde(with = "seconds", skip_serializing_if = "is_default")]
    pub startup_delay: Duration,
    /// `vrrp_delay_after_boot`: the same, counted from the boot of the host.
    #[serde(with = "seconds", skip_serializing_if = "is_default")]
    pub delay_after_boot: Duration,
}

/// How fast addresses are announced on which interfaces (`garp_group`, `vrrp_garp_interval`,
/// `vrrp_gna_interval`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Paces {
    /// On each interface that is in no group.
    #[serde(skip_serializing_if = "is_default")]
    pub usual: Pace,
    #[serde(skip_serializing_if = "is_default")]
    pub groups: Vec<PaceGroup>,
}

/// Least time between two packets; zero: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pace {
    /// Gratuitous ARP.
    #[serde(with = "seconds", skip_serializing_if = "is_default")]
    pub arp: Duration,
    /// Unsolicited neighbour advertisements.
    #[serde(with = "seconds", skip_serializing_if = "is_default")]
    pub neighbour: Duration,
}

/// Interfaces on one switch, which can't bear more than this in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceGroup {
    pub interfaces: Vec<String>,
    pub pace: Pace,
}
