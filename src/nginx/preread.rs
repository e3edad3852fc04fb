//! `ssl_preread` and `preread_*`: as typed, inherited, and in the Plan.

use std::time::Duration;

use crate::plan::stream::Preread;

const DEFAULT_BUFFER: usize = 16 * 1024;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub enabled: Option<bool>,
    pub buffer_size: Option<usize>,
    pub timeout: Option<Duration>,
}

impl Settings {
    pub(super) fn over(&self, outer: &Settings) -> Settings {
        Settings {
            enabled: self.enabled.or(outer.enabled),
            buffer_size: self.buffer_size.or(outer.buffer_size),
            timeout: self.timeout.or(outer.timeout),
        }
    }

    pub(super) fn lower(&self) -> Option<Preread> {
        self.enabled.unwrap_or(false).then(|| Preread {
            buffer_size: self.buffer_size.unwrap_or(DEFAULT_BUFFER),
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
        })
    }
}
