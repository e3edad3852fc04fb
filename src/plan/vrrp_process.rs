//! The processes of the keepalived side: names, priorities, namespaces, reloads.

use serde::{Deserialize, Serialize};

/// What `global_defs` says of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VrrpProcess {}
