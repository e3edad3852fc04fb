//! Interfaces that a virtual router makes for itself: virtual MAC (macvlan) and ipvlan.

use serde::{Deserialize, Serialize};

/// `use_vmac` or `use_ipvlan`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {}
