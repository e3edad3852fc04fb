//! Virtual servers and the checks of their real servers.

use serde::{Deserialize, Serialize};

/// All `virtual_server` blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckerPlan {}
