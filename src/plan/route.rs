//! Routes and routing rules, of virtual routers and static ones.

use serde::{Deserialize, Serialize};

/// What moves with an instance besides its virtual addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Belongings {}

/// `static_*`: there for as long as the daemon runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statics {}
