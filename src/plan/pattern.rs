//! Regular expressions, as PCRE2 reads them.

use serde::{Deserialize, Serialize};

use super::is_default;
use super::template::VariableId;

/// What stands behind `~` or `~*` in a config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    pub text: String,
    /// `~*`
    #[serde(default, skip_serializing_if = "is_default")]
    pub caseless: bool,
    /// Named groups: the group's number, and the variable that gets what it holds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub names: Vec<(usize, VariableId)>,
}
