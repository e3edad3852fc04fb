//! Whom the vrrp role tells of what happens: FIFOs, mail, dump files.

use serde::{Deserialize, Serialize};

/// What `global_defs` says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Telling {}

/// What an instance or a group says of it, besides its notify scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceTelling {}
