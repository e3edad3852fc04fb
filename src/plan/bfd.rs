//! BFD sessions.

use serde::{Deserialize, Serialize};

/// All `bfd_instance` blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BfdPlan {}
