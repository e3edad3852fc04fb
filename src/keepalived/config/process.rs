//! The processes themselves.

use super::At;
use crate::plan::vrrp_process::VrrpProcess;

/// What `global_defs` and the keywords outside of blocks say of them. There is nothing to resolve:
/// it is the plan already.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pub plan: VrrpProcess,
    /// `process_names`: names that are not given are keepalived's own.
    pub own_names: bool,
    /// `tmp_config_directory`: only the first one counts.
    pub temporary_directory: Option<At<String>>,
}
