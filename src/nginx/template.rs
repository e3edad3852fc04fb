//! Arguments with variables → [`Template`]s. Complaints about them are [`super::variable`]'s; what
//! comes here is right.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use super::config::NginxConfig;
use crate::plan::fact::Fact;
use crate::plan::template::{Part, Source, Template, Variable, VariableId};

/// The variables of one plan: each gets its place when it is first mentioned.
#[derive(Debug)]
pub(super) struct Names<'a> {
    config: &'a NginxConfig,
    places: HashMap<String, VariableId>,
    variables: Vec<Variable>,
    /// Those with a table that isn't looked at yet.
    pending: Vec<VariableId>,
}

impl<'a> Names<'a> {
    pub(super) fn new(config: &'a NginxConfig) -> Self {
        Self { config, places: HashMap::new(), variables: Vec::new(), pending: Vec::new() }
    }

    /// All that were mentioned, and all that their tables mention. (Not by recursion: a config may
    /// have a long chain of them.)
    pub(super) fn into_variables(mut self) -> Vec<Variable> {
        let config = self.config;
        while let Some(id) = self.pending.pop() {
            if let Some(definition) = config.definitions.get(&self.variables[id.0].name) {
                self.variables[id.0].source = definition.lower(&mut self);
            }
        }
        self.variables
    }

    /// The variable of a name, without its `$`.
    pub(super) fn variable(&mut self, name: &str) -> VariableId {
        let name = name.to_ascii_lowercase();
        if let Some(known) = self.places.get(&name) {
            return *known;
        }
        let id = VariableId(self.variables.len());
        self.places.insert(name.clone(), id);
        let defined = self.config.variables_defined.contains(&name);
        let source = match Fact::named(&name) {
            Some(fact) if !defined => Source::Fact(fact),
            _ => Source::Assigned,
        };
        if self.config.definitions.contains_key(&name) {
            self.pending.push(id);
        }
        self.variables.push(Variable { name, source });
        id
    }

    /// `text$name${name}text$1`
    pub(super) fn template(&mut self, text: &[u8]) -> Template {
        let mut parts = Vec::new();
        let mut literal = BString::default();
        let mut rest = text;
        while let Some(at) = rest.find_byte(b'$') {
            literal.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            let part = match rest {
                [digit @ b'1'..=b'9', tail @ ..] => {
                    rest = tail;
                    Part::Capture(digit - b'0')
                }
                _ => Part::Variable(self.variable(take_name(&mut rest))),
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(part);
        }
        literal.extend_from_slice(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Template { parts }
    }
}

/// `name` or `{name}` from the front.
fn take_name<'t>(rest: &mut &'t [u8]) -> &'t str {
    let inner = rest.strip_prefix(b"{").unwrap_or(rest);
    let braces = usize::from(inner.len() < rest.len());
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = inner.iter().take_while(|byte| in_name(byte)).count();
    *rest = rest.get(2 * braces + length..).unwrap_or_default();
    std::str::from_utf8(&inner[..length]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_nginx_ends_them() {
        let config = NginxConfig::default();
        let mut names = Names::new(&config);
        let parts = names.template(b"a$remote_addr:${STATUS}x$12$Remote_Addr").parts;
        let (address, status) = (Part::Variable(VariableId(0)), Part::Variable(VariableId(1)));
        let text = |text: &str| Part::Text(text.into());
        let expected = [
            text("a"),
            address.clone(),
            text(":"),
            status,
            text("x"),
            Part::Capture(1),
            text("2"),
            address,
        ];
        assert_eq!(parts, expected);
        let variables = names.into_variables();
        assert_eq!(variables[0].source, Source::Fact(Fact::RemoteAddr));
        assert_eq!(variables[1].source, Source::Fact(Fact::Status));
    }

    #[test]
    fn what_a_config_defines_is_no_fact() {
        let mut config = NginxConfig::default();
        config.variables_defined.insert("status_of_it".to_owned());
        let mut names = Names::new(&config);
        let template = names.template(b"$status_of_it");
        assert_eq!(template.parts, [Part::Variable(VariableId(0))]);
        assert_eq!(names.template(b"").literal(), Some(&b""[..]));
        assert_eq!(names.template(b"plain").literal(), Some(&b"plain"[..]));
        assert_eq!(names.into_variables()[0].source, Source::Assigned);
    }
}
