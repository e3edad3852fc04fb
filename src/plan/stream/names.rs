//! Servers that share an address, by the name that a client asks for in its TLS greeting.

use serde::{Deserialize, Serialize};

use super::super::is_default;
use super::ServerId;
use crate::plan::pattern::Pattern;
use crate::plan::table::Text;

/// `server_name` of all servers of one address. Whoever asks for none of these names, or for none
/// at all, comes to the address's default server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerNames {
    /// In lower case, as everything here.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exact: Vec<(Text, ServerId)>,
    /// `*.example.com`, without the mask and its dot.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suffixes: Vec<(Text, ServerId)>,
    /// `example.*`, the same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prefixes: Vec<(Text, ServerId)>,
    /// In the config's order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub patterns: Vec<(Pattern, ServerId)>,
}
