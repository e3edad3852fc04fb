//! How routers behave.

use std::time::Duration;

use super::At;
use crate::text::Span;

/// Of one instance; `None`: as [`GlobalConduct`] has it.
#[derive(Clone, Debug, Default)]
pub struct Conduct {
    /// `down_timer_adverts`
    pub down_timer_adverts: Option<At<u8>>,
    /// `lower_prio_no_advert`
    pub lower_priority_no_advert: Option<At<bool>>,
    /// `higher_prio_send_advert`
    pub higher_priority_send_advert: Option<At<bool>>,
    /// `garp_extra_if`
    pub extra: Option<At<Extra>>,
    /// `owner_ignore_adverts`
    pub owner_ignores_adverts: bool,
    /// `timer_expired_backup [HIGHEST_PRIORITY]`
    pub step_back_when_late: Option<At<u8>>,
    /// `strict_mode`
    pub strict: Option<At<bool>>,
}

/// Of all that don't say.
#[derive(Clone, Debug, Default)]
pub struct GlobalConduct {
    /// `vrrp_down_timer_adverts`
    pub down_timer_adverts: Option<u8>,
    /// `vrrp_lower_prio_no_advert`
    pub lower_priority_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`
    pub higher_priority_send_advert: bool,
    /// `vrrp_garp_extra_if`
    pub extra: Option<At<Extra>>,
    /// `garp_group`
    pub paces: Vec<Pace>,
    /// `vrrp_owner_ignore_adverts`
    pub owner_ignores_adverts: bool,
    /// `vrrp_strict`
    pub strict: Option<Span>,
    /// `vrrp_startup_delay`
    pub startup_delay: Duration,
    /// `vrrp_delay_after_boot`
    pub delay_after_boot: Duration,
}

/// `[all] SECONDS` of `garp_extra_if`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extra {
    /// On every interface, not only on virtual MAC ones.
    pub all: bool,
    pub every: Duration,
}

/// One `garp_group`.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    pub span: Span,
    /// `garp_interval`
    pub arp: Option<Duration>,
    /// `gna_interval`
    pub neighbour: Option<Duration>,
    pub interfaces: Vec<At<String>>,
}
