//! `$VAR` and `${VAR}` on one line (keepalived.conf(5), "Parameter substitution", "Pre-defined
//! definitions").

use std::path::Path;

use super::super::line::Line;
use super::{Expander, Pending, Variable};
use crate::text::{Diagnostic, Origin, Span};

impl Expander<'_> {
    /// The line with every `$VAR` replaced. `None`: it became several lines, which are pending.
    pub(super) fn substituted(
        &mut self,
        line: &Line,
        at: usize,
        depth: usize,
        pending: &mut Vec<Pending>,
    ) -> Option<Line> {
        let mut done = Line::default();
        // Innermost last: text still to be read, and from where. The first is the line itself.
        let mut open: Vec<(Line, usize)> = vec![(line.tail(at), 0)];
        while let Some((text, from)) = open.pop() {
            let Some(dollar) = text.text[from..].iter().position(|byte| *byte == b'$') else {
                done.push_line(&text, from..text.text.len());
                continue;
            };
            let dollar = from + dollar;
            done.push_line(&text, from..dollar);
            let outer = open.iter().rev().find_map(|(line, at)| line.text.get(*at)).copied();
            let Some((variable, end)) = self.reference(&text.text, dollar, outer) else {
                done.push_line(&text, dollar..dollar + 1);
                open.push((text, dollar + 1));
                continue;
            };
            if depth + open.len() >= self.limits.depth {
                let name = String::from_utf8_lossy(&text.text[dollar..end]).into_owned();
                let message = format!("Expansion of {name} doesn't end");
                let help = "the definition uses itself, directly or through another";
                let diagnostic = Diagnostic::error("keepalived/expansion-loop", message);
                self.complain(diagnostic.at(text.span(dollar..end)).help(help));
                return None;
            }
            let Origin::Expanded(_) = variable.origin else {
                // Built in: what it stands for is never looked at again.
                let span = text.span(dollar..end);
                done.push_expanded(&variable.lines.concat(), span);
                open.push((text, end));
                continue;
            };
            let size: usize = variable.lines.iter().map(|line| line.len() + 1).sum();
            self.left = self.left.saturating_sub(size + 1);
            if self.left == 0 {
                return None;
            }
            let span = Span { origin: variable.origin, ..text.span(dollar..end) };
            open.push((text, end));
            match &variable.lines[..] {
                [] => {}
                [value] => {
                    let mut inner = Line::default();
                    inner.push_expanded(value, span);
                    open.push((inner, 0));
                }
                [first, middle @ .., last] => {
                    done.push_expanded(first, span);
                    let mut rest = Line::default();
                    rest.push_expanded(last, span);
                    for (text, from) in open.iter().rev() {
                        rest.push_line(text, *from..text.text.len());
                    }
                    pending.push(Pending::Line(rest, depth + 1));
                    for text in middle.iter().rev() {
                        let mut line = Line::default();
                        line.push_expanded(text, span);
                        pending.push(Pending::Line(line, depth + 1));
                    }
                    pending.push(Pending::Line(done, depth + 1));
                    return None;
                }
            }
        }
        // `$IF_MAIN priority 240`: the condition came to light only now; a definition may too.
        let changed = done.text.first() == Some(&b'@') || done.text.starts_with(b"~");
        if changed && done.text != line.text[at..] {
            pending.push(Pending::Line(done, depth + 1));
            return None;
        }
        Some(done)
    }

    /// What `$NAME` (followed by a blank or the end) or `${NAME}` at `at` means, and where it ends.
    fn reference(
        &mut self,
        text: &[u8],
        at: usize,
        outer: Option<u8>,
    ) -> Option<(Variable, usize)> {
        let rest = &text[at + 1..];
        if let Some(inner) = rest.strip_prefix(b"{") {
            let close = inner.iter().take(256).position(|byte| *byte == b'}')?;
            let end = at + 2 + close + 1;
            let name = &inner[..close];
            return match self.variables.get(name) {
                Some(variable) => Some((variable.clone(), end)),
                None => self
                    .built_in(name)
                    .map(|value| (Variable { lines: vec![value], origin: Origin::Direct }, end)),
            };
        }
        let word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let length = rest.iter().take(256).take_while(word).count();
        let next = rest.get(length).copied().or(outer.filter(|_| length == rest.len()));
        if next.is_some_and(|byte| !byte.is_ascii_whitespace()) {
            return None;
        }
        let variable = self.variables.get(&rest[..length])?;
        Some((variable.clone(), at + 1 + length))
    }

    /// keepalived.conf(5), "Pre-defined definitions".
    fn built_in(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let mut words = name.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let value = match words.next()? {
            b"_PWD" => {
                let path = self.reading.last().and_then(|path| path.parent())?;
                let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
                path.to_string_lossy().into_owned().into_bytes()
            }
            b"_INSTANCE" => self.config_id.clone(),
            // 2.4; what isn't set stays as it is written, as every name without a definition.
            b"_ENV" => {
                let name = std::str::from_utf8(words.next()?).ok()?;
                self.host.environment(name)?.into_bytes()
            }
            b"_HASH" => b"#".to_vec(),
            b"_BANG" => b"!".to_vec(),
            b"_RANDOM" => {
                let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<u64>().ok();
                let low = number().unwrap_or(0);
                let high = number().unwrap_or(32767).max(low);
                let random = self.random();
                (low + random % (high - low).saturating_add(1)).to_string().into_bytes()
            }
            _ => return None,
        };
        Some(value)
    }

    /// splitmix64 from the seed that `random_seed` gave, else from this process's random state.
    fn random(&mut self) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        if self.random == 0 {
            self.random = std::hash::RandomState::new().build_hasher().finish() | 1;
        }
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
