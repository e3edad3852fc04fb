//! Regular expressions, compiled.

use std::fmt;

use bstr::BString;
use pcre2::bytes::{Regex, RegexBuilder};

use crate::plan::pattern;
use crate::plan::template::VariableId;

pub struct Pattern {
    regex: Regex,
    names: Vec<(usize, VariableId)>,
}

/// What a regular expression found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// From `$1` on; a group that took no part is empty.
    pub all: Vec<BString>,
    /// Those with names.
    pub named: Vec<(VariableId, BString)>,
}

impl Pattern {
    /// # Errors
    /// PCRE2's, with the place in the pattern. A plan that was read from a config has none.
    pub fn new(pattern: &pattern::Pattern) -> Result<Self, pcre2::Error> {
        let mut builder = RegexBuilder::new();
        let regex = builder.caseless(pattern.caseless).jit_if_available(true);
        Ok(Self { regex: regex.build(&pattern.text)?, names: pattern.names.clone() })
    }

    /// # Errors
    /// PCRE2's limits: a pattern that needs too long for this text.
    pub fn find(&self, text: &[u8]) -> Result<Option<Groups>, pcre2::Error> {
        let mut places = self.regex.capture_locations();
        if self.regex.captures_read(&mut places, text)?.is_none() {
            return Ok(None);
        }
        let group = |number| {
            let bytes = places.get(number).and_then(|(start, end)| text.get(start..end));
            BString::from(bytes.unwrap_or_default())
        };
        let all = (1..places.len()).map(group).collect();
        let named = self.names.iter().map(|(number, id)| (*id, group(*number))).collect();
        Ok(Some(Groups { all, named }))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.regex.as_str()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, caseless: bool, subject: &[u8]) -> Option<Vec<BString>> {
        let names = vec![(1, VariableId(7))];
        let pattern = pattern::Pattern { text: text.into(), caseless, names };
        let groups = Pattern::new(&pattern).unwrap().find(subject).unwrap()?;
        assert_eq!(groups.named[0].0, VariableId(7));
        assert_eq!(groups.named[0].1, groups.all[0]);
        Some(groups.all)
    }

    #[test]
    fn groups_are_what_they_took() {
        assert_eq!(
            found("(?<n>a)(x)?(b)", false, b"..ab"),
            Some(["a", "", "b"].map(Into::into).to_vec())
        );
        assert_eq!(found("^(A)", false, b"ab"), None);
        assert_eq!(found("^(A)", true, b"ab"), Some(vec!["a".into()]));
        assert_eq!(found("(\\xff)", false, b"\xff\x00"), Some(vec![b"\xff".into()]));
        assert_eq!(found("(é)", false, "é".as_bytes()), Some(vec!["é".into()]));
    }
}
