//! Files of both dialects → one [`Plan`], or everything that is wrong with them.

use std::path::PathBuf;

pub use crate::nginx::NginxInput;
use crate::plan::Plan;
use crate::text::{Diagnostics, SourceMap};

/// Which files to read, and how.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// keepalived.conf; `None`: no VRRP.
    pub keepalived: Option<PathBuf>,
    /// nginx.conf; `None`: no stream.
    pub nginx: Option<NginxInput>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub sources: SourceMap,
    pub diagnostics: Diagnostics,
    /// `None`: nothing can run with these files.
    pub plan: Option<Plan>,
}
