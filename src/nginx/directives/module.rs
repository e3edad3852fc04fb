//! `load_module`: nothing is loaded, but what Evenkeel has built in may be asked for.

use super::slot;
use crate::nginx::config::NginxConfig;
use crate::text::{Diagnostic, Diagnostics, Node};

/// Modules whose directives the tables know.
const BUILT_IN: [&str; 1] = ["ngx_stream_module"];

pub(super) fn load(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    if config.main.blocks_begun {
        let message = "\"load_module\" directive is specified too late";
        let help = "it must stand before all blocks";
        out.push(Diagnostic::error("nginx/too-late", message).at(word.span).help(help));
        return;
    }
    let path = word.lossy();
    let file = path.rsplit('/').next().unwrap_or_default();
    let module = file.strip_suffix(".so").unwrap_or(file).to_owned();
    if config.main.modules.contains(&module) {
        let message = format!("module \"{module}\" is already loaded");
        out.push(Diagnostic::error("nginx/duplicate", message).at(word.span));
    } else if BUILT_IN.contains(&module.as_str()) {
        config.main.modules.insert(module);
    } else if module.starts_with("ngx_http_") || module.starts_with("ngx_mail_") {
        slot::lose(word, "neither http {} nor mail {} is served", out);
        config.main.modules.insert(module);
    } else {
        slot::refuse(word, "only modules that Evenkeel has built in can be used", out);
    }
}
