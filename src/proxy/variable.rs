//! Templates filled in for one session.
//!
//! The session answers for what nginx knows by itself ([`Facts`]); what a config assigns is kept
//! in the session's [`Values`], and so is what its tables gave: nginx looks up each once per
//! session, unless it is `volatile`. Everything is bytes: nginx's configs need not be UTF-8.

use std::net::{IpAddr, Ipv4Addr};

use bstr::BString;

use super::table::{Table, geo};
use crate::plan::fact::Fact;
use crate::plan::template::{Part, Source, Template, Variable, VariableId};

/// What a session knows of itself.
pub trait Facts {
    /// Appends the fact's value. `false`: there is none, which logs show as `-` and everything
    /// else as nothing.
    fn fact(&self, fact: &Fact, out: &mut Vec<u8>) -> bool;
}

/// The variables of one plan, ready to be asked.
#[derive(Debug, Default)]
pub struct Variables {
    variables: Vec<Known>,
    /// There are regular expressions, whose groups templates may ask for.
    groups: bool,
}

#[derive(Debug)]
struct Known {
    variable: Variable,
    table: Option<Table>,
}

impl Variables {
    /// # Errors
    /// What PCRE2 says of a regular expression; a plan that was read from a config has none.
    pub fn new(variables: Vec<Variable>) -> Result<Self, pcre2::Error> {
        let known = |variable: Variable| {
            let table = Table::of(&variable.source)?;
            Ok(Known { variable, table })
        };
        let variables: Vec<Known> = variables.into_iter().map(known).collect::<Result<_, _>>()?;
        let groups = variables
            .iter()
            .any(|it| matches!(&it.variable.source, Source::Map(map) if !map.patterns.is_empty()));
        Ok(Self { variables, groups })
    }
}

/// What a session has found out.
#[derive(Debug, Default)]
pub struct Values {
    /// Values of variables; `None`: it has none.
    found: Vec<(VariableId, Option<BString>)>,
    /// Groups of the regular expression that matched last, from `$1` on.
    pub captures: Vec<BString>,
    /// Names of variables whose values depend on themselves, and that were asked for since somebody
    /// took these names.
    pub cycles: Vec<String>,
}

impl Values {
    pub fn assign(&mut self, variable: VariableId, value: BString) {
        self.find(variable, Some(value));
    }

    fn find(&mut self, variable: VariableId, value: Option<BString>) {
        match self.found.iter_mut().find(|(known, _)| *known == variable) {
            Some((_, slot)) => *slot = value,
            None => self.found.push((variable, value)),
        }
    }

    fn found(&self, variable: VariableId) -> Option<&Option<BString>> {
        self.found.iter().find(|(known, _)| *known == variable).map(|(_, value)| value)
    }

    fn forget(&mut self, variable: VariableId) {
        self.found.retain(|(known, _)| *known != variable);
    }
}

/// So deep may variables lie in each other; deeper ones have no value, as in nginx.
const DEEPEST: usize = 100;

/// Fills in templates of one plan for one session.
pub struct Evaluator<'a> {
    pub variables: &'a Variables,
    pub facts: &'a dyn Facts,
    pub values: &'a mut Values,
    depth: usize,
}

impl<'a> Evaluator<'a> {
    pub fn new(variables: &'a Variables, facts: &'a dyn Facts, values: &'a mut Values) -> Self {
        Self { variables, facts, values, depth: 0 }
    }

    pub fn render(&mut self, template: &Template) -> Vec<u8> {
        let mut out = Vec::new();
        self.append(template, &mut out);
        out
    }

    pub fn append(&mut self, template: &Template, out: &mut Vec<u8>) {
        self.prepare(template);
        for part in &template.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Variable(id) => {
                    self.value(*id, out);
                }
                Part::Capture(number) => {
                    let group = usize::from(*number).checked_sub(1);
                    let group = group.and_then(|at| self.values.captures.get(at));
                    out.extend_from_slice(group.map_or(&[], |group| group.as_slice()));
                }
            }
        }
    }

    /// To be called before the values of a template's variables are asked for one by one. What is
    /// volatile is forgotten; and where groups may be asked for, all variables are looked up first,
    /// so that the regular expression that decided last is the same for the whole text, as in nginx.
    pub fn prepare(&mut self, template: &Template) {
        let ids = || {
            template.parts.iter().filter_map(|part| match part {
                Part::Variable(id) => Some(*id),
                _ => None,
            })
        };
        for id in ids() {
            if let Source::Map(map) = &self.variables.variables[id.0].variable.source
                && map.volatile
            {
                self.values.forget(id);
            }
        }
        if self.variables.groups && template.parts.len() > 1 {
            let mut nowhere = Vec::new();
            for id in ids() {
                nowhere.clear();
                self.value(id, &mut nowhere);
            }
        }
    }

    /// Appends one variable's value; `false`: there is none.
    pub fn value(&mut self, id: VariableId, out: &mut Vec<u8>) -> bool {
        let variables = self.variables;
        let known = &variables.variables[id.0];
        match (&known.variable.source, &known.table) {
            (Source::Fact(fact), _) if !is_kept(fact) => return self.facts.fact(fact, out),
            (Source::Fact(fact), _) if self.values.found(id).is_none() => {
                let mut value = Vec::new();
                let there = self.facts.fact(fact, &mut value);
                self.values.find(id, there.then(|| value.into()));
            }
            (Source::Assigned, _) => {
                // Before its `set` it is empty, but it is there.
                let value = self.values.found(id).and_then(|it| it.as_ref());
                out.extend_from_slice(value.map_or(&[], |it| it.as_slice()));
                return true;
            }
            (_, Some(table)) if self.values.found(id).is_none() => {
                if self.depth == DEEPEST {
                    self.values.cycles.push(known.variable.name.clone());
                    return false;
                }
                self.depth += 1;
                let value = self.look_up(&known.variable.source, table);
                self.depth -= 1;
                self.values.find(id, Some(value.into()));
            }
            _ => {}
        }
        match self.values.found(id) {
            Some(Some(value)) => {
                out.extend_from_slice(value);
                true
            }
            _ => false,
        }
    }

    fn look_up(&mut self, source: &Source, table: &Table) -> Vec<u8> {
        match (source, table) {
            (Source::Map(plan), Table::Map(map)) => {
                let text = self.render(&plan.source);
                let (value, groups) = map.find(&text);
                if let Some(groups) = groups {
                    self.values.captures = groups.all;
                    for (id, group) in groups.named {
                        self.values.assign(id, group);
                    }
                }
                self.render(value)
            }
            (Source::Geo(plan), Table::Geo(geo)) => {
                let place = geo.find(self.address(plan.source));
                let value = place.and_then(|place| plan.values.get(place as usize));
                value.map(|text| text.0.to_vec()).unwrap_or_default()
            }
            (Source::Split(plan), Table::Split(split)) => {
                let text = self.render(&plan.source);
                let share = split.find(&text).and_then(|at| plan.shares.get(at));
                share.map(|share| share.value.0.to_vec()).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The client's address, or the one that a variable holds.
    fn address(&mut self, source: Option<VariableId>) -> IpAddr {
        let mut bytes = Vec::new();
        if let Some(id) = source {
            self.value(id, &mut bytes);
            return geo::address(&bytes);
        }
        self.facts.fact(&Fact::BinaryRemoteAddr, &mut bytes);
        let ipv4 = <[u8; 4]>::try_from(&bytes[..]).map(IpAddr::from);
        let ip = ipv4.or_else(|_| <[u8; 16]>::try_from(&bytes[..]).map(IpAddr::from));
        ip.unwrap_or(IpAddr::V4(Ipv4Addr::BROADCAST))
    }
}

/// Once asked for in a session, nginx doesn't count these anew, nor does it look again at which
/// server the session has come to.
fn is_kept(fact: &Fact) -> bool {
    matches!(fact, Fact::BytesSent | Fact::BytesReceived | Fact::ServerName)
}

impl std::fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluator").field("values", &self.values).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Only;

    impl Facts for Only {
        fn fact(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
            let known = *fact == Fact::RemoteAddr;
            if known {
                out.extend_from_slice(b"10.0.0.1");
            }
            known
        }
    }

    #[test]
    fn texts_facts_assigned_and_captured_come_together() {
        let variable = |name: &str, source| Variable { name: name.to_owned(), source };
        let variables = [
            variable("remote_addr", Source::Fact(Fact::RemoteAddr)),
            variable("ssl_cipher", Source::Fact(Fact::SslCipher)),
            variable("a", Source::Assigned),
        ];
        let mut values = Values { captures: vec!["one".into()], ..Values::default() };
        values.assign(VariableId(2), "first".into());
        values.assign(VariableId(2), "second".into());
        let variables = Variables::new(variables.into()).unwrap();
        let mut evaluator = Evaluator::new(&variables, &Only, &mut values);
        let variable = |at| Part::Variable(VariableId(at));
        let parts = vec![
            Part::Text("<".into()),
            variable(0),
            variable(1),
            variable(2),
            Part::Capture(1),
            Part::Capture(2),
        ];
        assert_eq!(evaluator.render(&Template { parts }), b"<10.0.0.1secondone");
        assert!(!evaluator.value(VariableId(1), &mut Vec::new()));
    }
}
