//! Files of both dialects → one [`Plan`], or everything that is wrong with them.

use std::path::PathBuf;

use crate::host::Host;
use crate::keepalived;
use crate::nginx;
pub use crate::nginx::NginxInput;
use crate::plan::Plan;
use crate::text::{Diagnostics, SourceMap};

/// Which files to read, and how.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// keepalived.conf; `None`: no VRRP.
    pub keepalived: Option<PathBuf>,
    /// `-i`: what `@ID` lines of keepalived.conf are compared with; `None`: the host's name.
    pub config_id: Option<String>,
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
    /// `net_namespace` of keepalived.conf: interfaces were looked for in the caller's.
    pub network_namespace: Option<String>,
    /// What `nginx -T` prints.
    pub dump: Vec<u8>,
}

impl Loaded {
    /// The plan alone: what it was made from need not stay as long as it does.
    pub fn into_plan(self) -> Option<Plan> {
        self.plan
    }
}

/// Reads all files that `inputs` names, on `host`.
///
/// There is a plan only where each dialect has one: half a plan is nothing that anybody asked for.
pub fn load(inputs: &Inputs, host: &dyn Host) -> Loaded {
    let mut loaded = Loaded::default();
    let mut plan = Plan::default();
    let mut runs = true;
    if let Some(path) = &inputs.keepalived {
        let id = inputs.config_id.as_deref();
        let (config, diagnostics) = keepalived::read(&mut loaded.sources, path, id, host);
        loaded.diagnostics.extend(diagnostics);
        loaded.network_namespace.clone_from(&config.globals.process.plan.net_namespace);
        let (vrrp, diagnostics) = keepalived::lower(&config, host);
        loaded.diagnostics.extend(diagnostics);
        let (checkers, bfd, diagnostics) = keepalived::lower_checkers(&config, host);
        loaded.diagnostics.extend(diagnostics);
        (plan.checkers, plan.bfd) = (checkers, bfd);
        runs &= vrrp.is_some();
        plan.vrrp = vrrp.filter(|vrrp| !vrrp.routers.is_empty());
    }
    if let Some(input) = &inputs.nginx {
        let (config, diagnostics) = nginx::read(&mut loaded.sources, input, host);
        loaded.diagnostics.extend(diagnostics);
        let (stream, diagnostics) = nginx::lower(&config);
        loaded.diagnostics.extend(diagnostics);
        loaded.dump = nginx::dump(&loaded.sources, &config);
        runs &= stream.is_some();
        plan.stream = stream;
    }
    loaded.plan = runs.then_some(plan);
    loaded
}
