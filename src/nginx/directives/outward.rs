//! Connections to peers: where they leave from, how fast they are, what is said before them; and
//! `pass`, which makes none.

use super::slot;
use crate::nginx::NginxConfig;
use crate::nginx::config::{Bind, Handler};
use crate::plan::endpoint;
use crate::plan::stream::HeaderVersion;
use crate::text::{Diagnostic, Diagnostics, Node};

/// `proxy_bind`
pub(super) fn bind(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    if word.is("off") && node.args.len() == 1 {
        config.settings().doors.bind = Some(None);
        return;
    }
    let fixed = !word.text.contains(&b'$');
    if fixed && word.as_str().and_then(endpoint::local).is_none() {
        let message = format!("invalid address \"{}\"", word.lossy());
        let diagnostic = Diagnostic::error("nginx/bad-address", message).at(word.span);
        return out.push(diagnostic.help("ADDRESS or ADDRESS:PORT; names aren't resolved here"));
    }
    let transparent = node.args.get(1);
    if let Some(bad) = transparent.filter(|word| !word.is("transparent")) {
        return slot::invalid_parameter(bad, out);
    }
    let bind = Bind { address: word.text.clone(), transparent: transparent.is_some() };
    config.settings().doors.bind = Some(Some(bind));
}

/// `proxy_upload_rate` and `proxy_download_rate`
pub(super) fn rate(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    if !word.text.contains(&b'$') {
        let mut size = None;
        slot::size(&mut size, node, out);
        if size.is_none() {
            return;
        }
    }
    let doors = &mut config.settings().doors;
    let rate = if node.name.is("proxy_upload_rate") {
        &mut doors.upload_rate
    } else {
        &mut doors.download_rate
    };
    *rate = Some(word.text.clone());
}

/// `proxy_protocol`
pub(super) fn header(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let version = if slot::first(node).text.eq_ignore_ascii_case(b"v2") {
        Some(HeaderVersion::V2)
    } else {
        let mut on = None;
        slot::flag(&mut on, node, out);
        on.filter(|on| *on).map(|_| HeaderVersion::V1)
    };
    config.settings().doors.header = Some(version);
}

/// `pass`
pub(super) fn hand_over(config: &mut NginxConfig, node: &Node, _: &mut Diagnostics) {
    let Some(server) = config.server() else { return };
    (server.has_handler, server.handler) = (true, Some(Handler::HandOver));
    server.hand_over = Some(slot::first(node).text.clone());
}
