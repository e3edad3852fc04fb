//! `server_name`

use super::pattern;
use crate::nginx::config::NginxConfig;
use crate::nginx::server_name::Name;
use crate::text::{Diagnostic, Diagnostics, Node};

/// What is wrong with a name alone. Whether its mask is one is asked only where there are several
/// servers to choose from, as in nginx: see [`crate::nginx::server_name::table`].
pub(super) fn set(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    for word in &node.args {
        let text = word.text.as_slice();
        let masked = matches!(text, [b'*', rest @ ..] if rest.len() < 2 || rest[0] != b'.');
        if masked || text == b"." {
            let message = format!("server name \"{}\" is invalid", word.lossy());
            let help = "a mask is a whole label: *.example.com, example.*, .example.com";
            let diagnostic = Diagnostic::error("nginx/bad-server-name", message).at(word.span);
            return out.push(diagnostic.help(help));
        }
        if text.contains(&b'/') {
            let message = format!("server name \"{}\" has suspicious symbols", word.lossy());
            out.push(Diagnostic::warning("nginx/suspicious", message).at(word.span));
        }
        let name = match text {
            b"$hostname" => Name::Hostname,
            b"~" => {
                let message = "empty regex in server name \"~\"";
                return out.push(Diagnostic::error("nginx/bad-regex", message).at(word.span));
            }
            [b'~', pattern @ ..] => match pattern::compile(config, word, pattern, true, out) {
                Some(pattern) => Name::Pattern(pattern),
                None => return,
            },
            text => Name::Text(text.to_ascii_lowercase().into()),
        };
        if let Some(server) = config.server() {
            server.names.push(name);
        }
    }
}
