//! `resolver`: the name servers that are asked at run time.

use super::slot;
use crate::nginx::NginxConfig;
use crate::nginx::config::Question;
use crate::nginx::resolver::ResolverConfig;
use crate::plan::endpoint::Endpoint;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(super) const ARGS: &str =
    "ADDRESS[:PORT]… [valid=TIME] [ipv4=on|off] [ipv6=on|off] [status_zone=ZONE]";

pub(super) fn set(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let mut resolver = ResolverConfig::default();
    let mut servers = 0;
    for word in &node.args {
        let text = word.lossy();
        let parameter = match text.split_once('=') {
            Some(("valid", value)) => slot::seconds(value).map(|time| resolver.valid = Some(time)),
            Some(("ipv4", value)) => on_or_off(value).map(|on| resolver.ipv4 = on),
            Some(("ipv6", value)) => on_or_off(value).map(|on| resolver.ipv6 = on),
            Some(("status_zone", value)) if !value.is_empty() => {
                slot::lose(word, "what name servers answer isn't counted", out);
                Some(())
            }
            _ => {
                servers += 1;
                match server(word) {
                    Ok(question) => config.questions.push(question),
                    Err(diagnostic) => return out.push(diagnostic),
                }
                continue;
            }
        };
        if parameter.is_none() {
            let message = format!("invalid parameter: {text}");
            return out.push(Diagnostic::error("nginx/invalid-parameter", message).at(word.span));
        }
    }
    if !resolver.ipv4 && !resolver.ipv6 {
        let message = "\"ipv4\" and \"ipv6\" cannot both be \"off\"";
        return out.push(Diagnostic::error("nginx/invalid-parameter", message).at(node.name.span));
    }
    if servers == 0 {
        let message = "no name servers defined";
        return out.push(Diagnostic::error("nginx/no-servers", message).at(node.name.span));
    }
    *config.resolver().0 = Some(resolver);
}

pub(super) fn timeout(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::time(config.resolver().1, node, out);
}

fn server(word: &Word) -> Result<Question, Diagnostic> {
    let text = word.lossy().into_owned();
    let complaint = match Endpoint::peer(&text) {
        Ok(Endpoint::Unix(_)) => "no name server is asked by Unix sockets",
        Ok(endpoint) => return Ok(Question::Resolver { endpoint, text, span: word.span }),
        Err(complaint) => complaint,
    };
    let message = format!("{complaint} in resolver \"{text}\"");
    Err(Diagnostic::error("nginx/bad-address", message).at(word.span))
}

fn on_or_off(value: &str) -> Option<bool> {
    match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}
