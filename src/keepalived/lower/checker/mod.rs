//! Virtual servers, their checks and BFD sessions: defaults, and what contradicts what.
//!
//! None of it runs yet; that is said once, with the names of what is meant. Read [`service`] next.

mod check;
mod service;

use super::super::config::KeepalivedConfig;
use super::super::keywords::service_name;
use super::script::Scripts;
use crate::host::Host;
use crate::plan::bfd::BfdPlan;
use crate::plan::checker::{self as plan, CheckerPlan, CheckerTelling, VirtualService};
use crate::text::{Diagnostic, Diagnostics, Span};

/// More names than this nobody reads in one warning.
const MOST_NAMES: usize = 5;

/// What `config` says of virtual servers and BFD.
pub fn lower_checkers(
    config: &KeepalivedConfig,
    host: &dyn Host,
) -> (CheckerPlan, BfdPlan, Diagnostics) {
    let checkers = &config.checkers;
    // What is wrong with script_user is said where the instances are looked at.
    let scripts = Scripts::new(&config.globals, host, &mut Diagnostics::default());
    let mut lowering = Lowering { config, scripts, diagnostics: Diagnostics::default() };
    let services: Vec<VirtualService> =
        checkers.services.iter().filter_map(|service| lowering.service(service)).collect();
    let Lowering { mut scripts, mut diagnostics, .. } = lowering;
    if config.fatal {
        // keepalived doesn't come to this.
        diagnostics = Diagnostics::default();
    }
    let fifo_script = config.globals.telling.lvs_fifo.script.as_ref();
    let fifo_script =
        fifo_script.and_then(|command| scripts.notify(command, &mut Diagnostics::default()));
    scripts.finish_checks(&mut diagnostics);
    let names: Vec<String> = checkers.services.iter().map(service_name).collect();
    let first = checkers.services.first().map(|service| service.span);
    not_run("virtual server", "servers aren't checked and IPVS isn't set up", &names, first)
        .into_iter()
        .for_each(|diagnostic| diagnostics.push(diagnostic));
    let names: Vec<String> = checkers.sessions.iter().map(|at| at.value.name.clone()).collect();
    let first = checkers.sessions.first().map(|session| session.span);
    not_run("BFD session", "BFD isn't spoken", &names, first)
        .into_iter()
        .for_each(|diagnostic| diagnostics.push(diagnostic));
    let fifo = config.globals.telling.lvs_fifo.fifo.as_ref();
    let plan = CheckerPlan {
        services,
        tls: checkers.tls.as_ref().map(|at| at.value.clone()),
        ipvs: plan::Ipvs {
            nftables: checkers.nftables.clone().filter(|_| checkers.wants_nftables),
            ..checkers.ipvs.clone()
        },
        telling: CheckerTelling {
            fifo: fifo.map(|fifo| fifo.path.value.clone().into()),
            fifo_script,
            ..checkers.telling.clone()
        },
    };
    let bfd = BfdPlan { sessions: checkers.sessions.iter().map(|at| at.value.clone()).collect() };
    (plan, bfd, diagnostics)
}

/// The one warning about what is only checked.
fn not_run(what: &str, why: &str, names: &[String], place: Option<Span>) -> Option<Diagnostic> {
    let place = place?;
    let mut shown = names.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MOST_NAMES {
        shown += &format!(" and {} more", names.len() - MOST_NAMES);
    }
    let (plural, verb) = if names.len() == 1 { ("", "is") } else { ("s", "are") };
    let message = format!("{} {what}{plural} {verb} not run yet ({why}): {shown}", names.len());
    let diagnostic = Diagnostic::warning("keepalived/unsupported", message).at(place);
    Some(
        diagnostic
            .help("what is wrong with them is said, and `evenkeel plan` shows them; the rest runs"),
    )
}

struct Lowering<'a> {
    config: &'a KeepalivedConfig,
    scripts: Scripts<'a>,
    diagnostics: Diagnostics,
}
impl Lowering<'_> {
    fn complain(&mut self, message: String, span: Span) {
        self.diagnostics.push(Diagnostic::error("keepalived/checker", message).at(span));
    }
}
