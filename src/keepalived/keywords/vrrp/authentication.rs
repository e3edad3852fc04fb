//! Setters of `authentication`: passwords and headers. `auth_hmac` has a file of its own.

use super::super::super::config::{At, AuthType, KeepalivedConfig};
use super::super::read::wrong;
use super::set::current;
use crate::plan::Secret;
use crate::text::{Diagnostic, Diagnostics, Node};

pub(super) fn auth_type(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    match word.text.as_slice() {
        b"PASS" => instance.auth_type = Some(At::new(AuthType::Pass, word.span)),
        b"AH" => instance.auth_type = Some(At::new(AuthType::Ah, word.span)),
        _ => {
            let (name, text) = (&instance.name.value, word.lossy());
            let message = format!("({name}) unknown authentication type '{text}'");
            diagnostics.push(wrong(word, message, "neither PASS nor AH, in capitals".to_owned()));
        }
    }
}

/// RFC 2338: the authentication data has eight bytes.
const LONGEST_PASSWORD: usize = 8;

pub(super) fn auth_pass(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    let mut bytes = word.text.to_vec();
    if bytes.len() > LONGEST_PASSWORD {
        bytes.truncate(LONGEST_PASSWORD);
        let message = "Truncating auth_pass to 8 characters";
        let help = "only the first eight go on the wire, so that other nodes see no difference";
        // The keyword is pointed at, not the password.
        let diagnostic = Diagnostic::error("keepalived/value", message).at(node.name.span);
        diagnostics.push(diagnostic.help(help));
    }
    instance.auth_pass = (!bytes.is_empty()).then(|| At::new(Secret::new(bytes), word.span));
}
