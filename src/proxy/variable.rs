//! Templates filled in for one session.
//!
//! The session answers for what nginx knows by itself ([`Facts`]); what a config assigns is kept
//! in the session's [`Values`]. Everything is bytes: nginx's configs need not be UTF-8.

use bstr::BString;

use crate::plan::fact::Fact;
use crate::plan::template::{Part, Source, Template, Variable, VariableId};

/// What a session knows of itself.
pub trait Facts {
    /// Appends the fact's value. `false`: there is none, which logs show as `-` and everything
    /// else as nothing.
    fn fact(&self, fact: &Fact, out: &mut Vec<u8>) -> bool;
}

/// What was assigned in one session.
#[derive(Debug, Default)]
pub struct Values {
    assigned: Vec<(VariableId, BString)>,
    /// Groups of the regular expression that matched last, from `$1` on.
    pub captures: Vec<BString>,
}

impl Values {
    pub fn assign(&mut self, variable: VariableId, value: BString) {
        match self.assigned.iter_mut().find(|(known, _)| *known == variable) {
            Some((_, slot)) => *slot = value,
            None => self.assigned.push((variable, value)),
        }
    }

    fn assigned(&self, variable: VariableId) -> Option<&BString> {
        self.assigned.iter().find(|(known, _)| *known == variable).map(|(_, value)| value)
    }
}

/// Fills in templates of one plan for one session.
pub struct Evaluator<'a> {
    pub variables: &'a [Variable],
    pub facts: &'a dyn Facts,
    pub values: &'a mut Values,
}

impl Evaluator<'_> {
    pub fn render(&mut self, template: &Template) -> Vec<u8> {
        let mut out = Vec::new();
        self.append(template, &mut out);
        out
    }

    pub fn append(&mut self, template: &Template, out: &mut Vec<u8>) {
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

    /// Appends one variable's value; `false`: there is none.
    pub fn value(&mut self, id: VariableId, out: &mut Vec<u8>) -> bool {
        match &self.variables[id.0].source {
            Source::Fact(fact) => self.facts.fact(fact, out),
            Source::Assigned => {
                // Before its `set` it is empty, but it is there.
                out.extend_from_slice(self.values.assigned(id).map_or(&[], |it| it.as_slice()));
                true
            }
        }
    }
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
        let mut evaluator = Evaluator { variables: &variables, facts: &Only, values: &mut values };
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
