//! `map`: the value for a text.

use super::masks::Masks;
use super::pattern::{Groups, Pattern};
use crate::plan::table;
use crate::plan::template::Template;

#[derive(Debug)]
pub struct Map {
    hostnames: bool,
    masks: Masks<Template>,
    patterns: Vec<(Pattern, Template)>,
    default: Template,
}

impl Map {
    /// # Errors
    /// A regular expression that PCRE2 doesn't take.
    pub fn new(map: &table::Map) -> Result<Self, pcre2::Error> {
        let patterns = map.patterns.iter();
        let patterns = patterns.map(|(pattern, value)| Ok((Pattern::new(pattern)?, value.clone())));
        Ok(Self {
            hostnames: map.hostnames,
            masks: Masks::new(&map.exact, &map.suffixes, &map.prefixes),
            patterns: patterns.collect::<Result<_, _>>()?,
            default: map.default.clone(),
        })
    }

    /// What `text` is mapped to, in nginx's order: the whole text, the longest name behind `*.`, the
    /// longest before `.*`, the first regular expression, `default`. With the groups where a regular
    /// expression has decided. One that fails (PCRE2's limits) hasn't matched.
    pub fn find(&self, text: &[u8]) -> (&Template, Option<Groups>) {
        let text = match text.strip_suffix(b".") {
            Some(name) if self.hostnames => name,
            _ => text,
        };
        let name = text.to_ascii_lowercase();
        if let Some(value) = self.masks.find(&name) {
            return (value, None);
        }
        for (pattern, value) in &self.patterns {
            if let Ok(Some(groups)) = pattern.find(text) {
                return (value, Some(groups));
            }
        }
        (&self.default, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::pattern;
    use crate::plan::table::Text;
    use crate::plan::template::Part;

    fn value(text: &str) -> Template {
        Template { parts: vec![Part::Text(text.into())] }
    }

    fn map(hostnames: bool) -> Map {
        let entries = |entries: &[(&str, &str)]| {
            entries.iter().map(|(key, text)| (Text::from(*key), value(text))).collect()
        };
        let pattern = |text: &str| pattern::Pattern {
            text: text.to_owned(),
            caseless: false,
            names: Vec::new(),
        };
        Map::new(&table::Map {
            hostnames,
            exact: entries(&[("abc", "1"), ("a.b", "exact"), ("dot.org", "dot")]),
            suffixes: entries(&[("a.b", "star"), ("b", "starb"), ("dot.org", "dot")]),
            prefixes: entries(&[("mail", "mail"), ("a", "ast"), ("mail.x", "longer")]),
            patterns: vec![(pattern("x"), value("re")), (pattern(r"(w+)\."), value("w"))],
            default: value("D"),
            ..table::Map::default()
        })
        .unwrap()
    }

    /// As nginx 1.22 answered.
    #[test]
    fn the_most_special_wins() {
        let map = map(true);
        for (text, expected) in [
            ("ABC", "1"),
            ("www.a.b", "star"),
            ("a.b", "exact"),
            ("A.B", "exact"),
            ("x.www.a.b", "star"),
            ("a.com", "ast"),
            ("a.b.c", "ast"),
            ("a.", "D"),
            ("", "D"),
            (".a.b", "star"),
            ("w.a.com", "w"),
            ("mail.x.y", "longer"),
            ("mail", "D"),
            ("mail.", "D"),
            ("sub.dot.org", "dot"),
            ("dot.org", "dot"),
            ("a..b", "starb"),
            ("www.a.b.", "star"),
            ("a.mail.x", "ast"),
            ("x y", "re"),
        ] {
            assert_eq!(map.find(text.as_bytes()).0, &value(expected), "{text}");
        }
    }

    #[test]
    fn without_hostnames_a_dot_at_the_end_counts() {
        let map = map(false);
        assert_eq!(map.find(b"a.b.").0, &value("ast"));
        assert_eq!(map.find(b"abc.").0, &value("D"));
        let (template, groups) = map.find(b"ww.");
        assert_eq!((template, groups.unwrap().all), (&value("w"), vec!["ww".into()]));
    }
}
