//! From files to a Plan for all faces, and back again at every reload.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use crate::host::ThisHost;
use crate::load::{Inputs, Loaded, load};
use crate::plan::process::LogLevel;
use crate::runtime::log::Voice;
use crate::runtime::supervisor::{Fresh, Load};
use crate::text::render;
use crate::text::{Diagnostic, Severity, SourceMap};

/// Reads `inputs` on this host.
pub(super) fn now(inputs: &Inputs) -> Loaded {
    load(inputs, &ThisHost)
}

/// Reads `inputs` again whenever it is called, with messages for the log of a running daemon.
pub(super) fn again(inputs: Inputs, voice: Voice) -> Load {
    Arc::new(move || {
        let Loaded { sources, diagnostics, mut plan, .. } = now(&inputs);
        // A file that isn't there now is no wish to give up everything that it had (an editor or
        // a deployment may be replacing it). The real keepalived gives it up.
        if inputs.keepalived.as_ref().is_some_and(|file| std::fs::read(file).is_err()) {
            plan = None;
        }
        let line = |diagnostic: &Diagnostic| {
            (level(diagnostic.severity), line(&sources, diagnostic, voice))
        };
        Fresh { plan, messages: diagnostics.iter().map(line).collect() }
    })
}

/// One line, as a log has it: without the program's name and level, which the log adds.
pub(super) fn line(sources: &SourceMap, diagnostic: &Diagnostic, voice: Voice) -> String {
    match (voice, diagnostic.span()) {
        (Voice::Keepalived, _) => render::keepalived(sources, diagnostic),
        (Voice::Nginx, _) => render::nginx_words(sources, diagnostic),
        (Voice::Evenkeel, Some(span)) => {
            let place = sources.place(span);
            let file = sources.path(span.file).display();
            format!("{file}:{}:{}: {}", place.line, place.column, diagnostic.message)
        }
        (_, None) => diagnostic.message.clone(),
    }
}

pub(super) fn level(severity: Severity) -> LogLevel {
    match severity {
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
