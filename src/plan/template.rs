//! Texts with variables in them, and where the variables' values come from.

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::table::{Geo, Map, Split};

/// Index into [`StreamPlan::variables`](super::StreamPlan::variables).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VariableId(pub usize);

/// What a directive's argument stands for: `"$remote_addr:$server_port"` in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Text(#[serde(with = "super::text")] BString),
    Variable(VariableId),
    /// `$1` to `$9`: a group of the regular expression that matched last in this session.
    Capture(u8),
}

impl Template {
    /// The text, if there is nothing else in it.
    pub fn literal(&self) -> Option<&[u8]> {
        match &self.parts[..] {
            [] => Some(b""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// A variable that a config uses or defines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Lower case, without the `$`.
    pub name: String,
    pub source: Source,
}

/// Where a variable's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// From the session, asked anew each time.
    Fact(Fact),
    /// From `set`. Empty until then.
    Assigned,
    /// From a named group of a regular expression. None until that has matched.
    Group,
    Map(Map),
    Geo(Geo),
    Split(Split),
}
