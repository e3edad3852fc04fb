//! How a virtual router behaves where the RFCs leave a choice, or keepalived takes one.

use serde::{Deserialize, Serialize};

/// An instance's choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conduct {}
