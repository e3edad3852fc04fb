//! Variables that a config makes of others: `map`, `geo`, `split_clients`.

use std::net::{Ipv4Addr, Ipv6Addr};

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::is_default;
use super::pattern::Pattern;
use super::template::{Template, VariableId};

/// `map`: a value by what `source` comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    pub source: Template,
    /// `hostnames`: names with masks; a dot at the end of the source counts for nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hostnames: bool,
    /// `volatile`: found anew each time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub volatile: bool,
    /// Whole values, in lower case.
    pub exact: Vec<(Text, Template)>,
    /// `*.example.com`, without the mask and its dot, in lower case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suffixes: Vec<(Text, Template)>,
    /// `example.*`, the same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prefixes: Vec<(Text, Template)>,
    /// In the config's order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub patterns: Vec<(Pattern, Template)>,
    pub default: Template,
}

/// `geo`: a value by network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geo {
    /// Whose value is the address; `None`: the client's.
    pub source: Option<VariableId>,
    /// Each once; an index of it stands for a value below.
    pub values: Vec<Text>,
    /// From this address up to the next entry's. The first is 0.0.0.0; `None` is no value.
    pub ipv4: Vec<(Ipv4Addr, Option<u32>)>,
    /// The same, from `::` on.
    pub ipv6: Vec<(Ipv6Addr, Option<u32>)>,
}

/// `split_clients`: a value by share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    pub source: Template,
    pub shares: Vec<Share>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Hundredths of a per cent; `None`: all that is left (`*`).
    pub hundredths: Option<u32>,
    pub value: Text,
}

/// Bytes that may be text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(#[serde(with = "super::text")] pub BString);

impl<T: Into<BString>> From<T> for Text {
    fn from(text: T) -> Self {
        Text(text.into())
    }
}
