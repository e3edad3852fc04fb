//! Sync groups: virtual routers that change state together.

use serde::{Deserialize, Serialize};

/// One `vrrp_sync_group`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncGroup {}
