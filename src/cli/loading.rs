//! From files to a Plan for all faces, and back again at every reload.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use crate::host::ThisHost;
use crate::keepalived::config_test_exit;
use crate::kernel::namespace::enter_network;
use crate::load::{Inputs, Loaded, load};
use crate::plan::Plan;
use crate::plan::process::LogLevel;
use crate::runtime::log::Voice;
use crate::runtime::supervisor::{Fresh, Load};
use crate::text::render;
use crate::text::{Diagnostic, FileId, Severity, SourceMap};

/// Reads `inputs` on this host.
pub(super) fn now(inputs: &Inputs) -> Loaded {
    load(inputs, &ThisHost)
}

/// The network namespace that this process has been moved into.
static NAMESPACE: OnceLock<String> = OnceLock::new();

/// Its name.
pub(super) fn namespace() -> Option<&'static str> {
    NAMESPACE.get().map(String::as_str)
}

/// Reads `inputs` in the network namespace that `option` or the config names, and stays there.
/// To be called before there is a second thread.
///
/// # Errors
/// The namespace, and why it can't be entered.
pub(super) fn first(inputs: &Inputs, option: Option<&str>) -> Result<Loaded, (String, io::Error)> {
    let early = option.is_none().then(|| now(inputs));
    let wanted = early.as_ref().and_then(|loaded| loaded.network_namespace.as_deref()).or(option);
    if let Some(name) = wanted {
        enter_network(name).map_err(|error| (name.to_owned(), error))?;
        // This is the only place that sets it, called once.
        let _ = NAMESPACE.set(name.to_owned());
        // Interfaces are others in there.
        return Ok(now(inputs));
    }
    Ok(early.unwrap_or_else(|| now(inputs)))
}

/// Reads `inputs` for people; without the namespace that the config names, where it isn't there.
pub(super) fn to_look_at(inputs: &Inputs) -> Loaded {
    first(inputs, None).unwrap_or_else(|(name, error)| {
        eprintln!("evenkeel: network namespace {name}: {error}; looking for interfaces here");
        now(inputs)
    })
}

/// Reads `inputs` again whenever it is called, with messages for the log of a running daemon.
pub(super) fn again(inputs: Inputs, voice: Voice) -> Load {
    Arc::new(move || {
        let Loaded { sources, diagnostics, mut plan, network_namespace, .. } = now(&inputs);
        // A file that isn't there now is no wish to give up everything that it had (an editor or
        // a deployment may be replacing it). The real keepalived gives it up.
        if inputs.keepalived.as_ref().is_some_and(|file| std::fs::read(file).is_err()) {
            plan = None;
        }
        let said = |diagnostic: &Diagnostic| {
            let level = level(diagnostic);
            lines(&sources, diagnostic, voice).into_iter().map(move |line| (level, line))
        };
        let mut messages: Vec<_> = diagnostics.iter().flat_map(said).collect();
        if network_namespace.as_deref() != namespace() && network_namespace.is_some() {
            let line = "net_namespace can't be changed by a reload: it takes a restart".to_owned();
            messages.push((LogLevel::Warn, line));
        }
        let (sound, copy) = (config_test_exit(&diagnostics) == 0, copy(&sources, &plan));
        Fresh { plan, messages, sound, copy }
    })
}

/// The files that were read, one after the other, where the config wants a copy kept.
pub(super) fn copy(sources: &SourceMap, plan: &Option<Plan>) -> Vec<u8> {
    let vrrp = plan.as_ref().and_then(|plan| plan.vrrp.as_ref());
    if vrrp.is_none_or(|vrrp| vrrp.process.reload.save.is_none()) {
        return Vec::new();
    }
    let mut copy = Vec::new();
    for (id, file) in sources.files().iter().enumerate() {
        copy.extend(format!("# {}\n", file.path.display()).bytes());
        // Without secrets: the copies are for looking at.
        copy.extend(sources.shown(FileId(id as u32), 0..file.bytes.len()));
    }
    copy
}

/// Lines, as a log has them: without the program's name and level, which the log adds.
pub(super) fn lines(sources: &SourceMap, diagnostic: &Diagnostic, voice: Voice) -> Vec<String> {
    match (voice, diagnostic.span()) {
        (Voice::Keepalived, _) => render::keepalived(sources, diagnostic),
        (Voice::Nginx, _) => vec![render::nginx_words(sources, diagnostic)],
        (Voice::Evenkeel, Some(span)) => {
            let place = sources.place(span);
            let file = sources.path(span.file).display();
            vec![format!("{file}:{}:{}: {}", place.line, place.column, diagnostic.message)]
        }
        (_, None) => vec![diagnostic.message.clone()],
    }
}

pub(super) fn level(diagnostic: &Diagnostic) -> LogLevel {
    match diagnostic.severity {
        _ if diagnostic.code == render::NGINX_FOLDER => LogLevel::Crit,
        Severity::Note => LogLevel::Notice,
        Severity::Warning => LogLevel::Warn,
        Severity::Error | Severity::Fatal => LogLevel::Emerg,
    }
}

/// All complaints on standard error in Evenkeel's voice.
pub(super) fn complain(loaded: &Loaded) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut out = std::io::stderr().lock();
    for diagnostic in loaded.diagnostics.iter() {
        let text = render::evenkeel(&loaded.sources, diagnostic, colour);
        // Nobody is left to hear about a closed standard error.
        let _ = writeln!(out, "{text}");
    }
}
