//! What is written about sessions when they are over: nginx's `access_log` and `log_format`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::process::Syslog;
use super::template::Template;
use super::{is_default, seconds};

/// `log_format`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    #[serde(default, skip_serializing_if = "is_default")]
    pub escape: Escape,
    pub text: Template,
}

/// What becomes of bytes in values that would break a line, or a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Escape {
    /// `\xXX`; what isn't there is `-`.
    #[default]
    Default,
    Json,
    None,
}

/// One `access_log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLog {
    pub target: Target,
    /// Place in [`StreamPlan::log_formats`](super::StreamPlan::log_formats).
    pub format: usize,
    /// `if=`: where this comes to `0` or nothing, nothing is written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub condition: Option<Template>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    File {
        path: PathBuf,
        #[serde(default, skip_serializing_if = "is_default")]
        buffer: Option<Buffer>,
    },
    /// A path with variables in it.
    Path(Template),
    Syslog(Syslog),
}

/// `buffer=`, `flush=`, `gzip`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Buffer {
    /// Bytes.
    pub size: usize,
    /// No line waits longer.
    #[serde(with = "seconds::option")]
    pub flush: Option<Duration>,
    /// The level, from 1 to 9.
    pub gzip: Option<u32>,
}

/// `open_log_file_cache`: files of [`Target::Path`] that stay open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFiles {
    pub most: usize,
    /// One that isn't used for so long is closed.
    #[serde(with = "seconds")]
    pub inactive: Duration,
    /// A file stays open once it has been used so often within that time.
    pub min_uses: u32,
    /// After this time it is looked at whether the file is still the one of that name.
    #[serde(with = "seconds")]
    pub valid: Duration,
}
