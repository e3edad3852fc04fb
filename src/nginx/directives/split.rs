//! `split_clients`

use super::variables::defined_name;
use crate::nginx::NginxConfig;
use crate::nginx::definition::Definition;
use crate::nginx::variable;
use crate::plan::table::{Share, Split, Text};
use crate::text::value::whole;
use crate::text::{Diagnostic, Diagnostics, Node, Span, Word};

pub(super) fn set(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let [source, name] = &node.args[..] else { return };
    if let Err(complaint) = variable::well_formed(source) {
        return out.push(complaint);
    }
    let Some(name) = defined_name(name, out) else { return };
    let mut shares = Vec::new();
    for line in super::variables::lines(node) {
        let hundredths = match percent(&line.name) {
            _ if line.name.is("*") => None,
            Some(hundredths @ 1..) => Some(hundredths),
            _ => {
                let message = format!("invalid percent value \"{}\"", line.name.lossy());
                let help = "from 0.01% to 100%, with two decimal places at most, or `*`";
                let diagnostic = Diagnostic::error("nginx/invalid-value", message);
                return out.push(diagnostic.at(line.name.span).help(help));
            }
        };
        let value = line.args.first().map(|word| Text(word.text.clone())).unwrap_or_default();
        if line.args.is_empty() {
            let message = format!("\"{}\" has no value", line.name.lossy());
            out.push(Diagnostic::warning("nginx/no-value", message).at(line.name.span));
        }
        shares.push(Share { hundredths, value });
    }
    if !fits(&shares) {
        let close = Span { start: node.span.end.saturating_sub(1), ..node.span };
        let message = "percent total is greater than 100%";
        return out.push(Diagnostic::error("nginx/invalid-value", message).at(close));
    }
    let split = Split { shares, ..Split::default() };
    config.definitions.insert(name, Definition::Split(source.text.clone(), split));
}

/// `*` takes what is left, so that nothing but another `*` may come behind it.
fn fits(shares: &[Share]) -> bool {
    let mut sum = 0u64;
    for share in shares {
        match share.hundredths {
            Some(hundredths) => sum += u64::from(hundredths),
            None => sum = sum.max(10_000),
        }
        if sum > 10_000 {
            return false;
        }
    }
    true
}

/// `12.5%` → 1250, as nginx reads it: `.5%` and `5.%` are numbers, too.
fn percent(word: &Word) -> Option<u32> {
    let text = word.as_str()?.strip_suffix('%')?;
    let (before, after) = text.split_once('.').unwrap_or((text, ""));
    if text.is_empty() || after.len() > 2 {
        return None;
    }
    u32::try_from(whole(&format!("0{before}{after:0<2}"))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_as_nginx_reads_them() {
        let read = |text: &str| percent(&Word::new(text, Span::default()));
        for (text, hundredths) in
            [("12.5%", 1250), ("0.01%", 1), (".5%", 50), ("5.%", 500), ("100%", 10_000), ("0%", 0)]
        {
            assert_eq!(read(text), Some(hundredths), "{text}");
        }
        for bad in ["5", "%", "a%", "-5%", "0.001%", "0.1.1%", "50%%", "99999999999999999999%", "*"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
