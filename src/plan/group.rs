//! Sync groups: virtual routers that change state together.

use serde::{Deserialize, Serialize};

use super::is_default;
use super::telling::InstanceTelling;
use super::vrrp::Notify;
use crate::text::Span;

/// Index into [`VrrpPlan::routers`](super::VrrpPlan::routers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RouterId(pub usize);

/// One `vrrp_sync_group`. What it tracks stands in its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncGroup {
    pub name: String,
    /// At least one, in the order of the config; no router is in two groups.
    pub members: Vec<RouterId>,
    /// Run after those of the members, `any` with `GROUP NAME STATE 0` appended.
    pub notify: Notify,
    /// `sync_group_tracking_weight`: members' priorities may move apart.
    #[serde(default, skip_serializing_if = "is_default")]
    pub own_weights: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub telling: InstanceTelling,
    pub span: Span,
}
