//! What a config defines variables by: `map`, `geo`, `split_clients`, as typed and checked. Texts are
//! still texts: [`Names`](super::template::Names) makes templates of them when all variables are
//! known.

use bstr::BString;

use super::template::Names;
use crate::plan::pattern::Pattern;
use crate::plan::table::{self, Split, Text};
use crate::plan::template::{Source, Template};

#[derive(Clone, Debug)]
pub enum Definition {
    Map(Map),
    Geo(Geo),
    /// With the text whose share is asked for.
    Split(BString, Split),
    /// A named group of a regular expression.
    Group,
}

/// `map`
#[derive(Clone, Debug, Default)]
pub struct Map {
    pub source: BString,
    pub hostnames: bool,
    pub volatile: bool,
    pub exact: Vec<(BString, BString)>,
    pub suffixes: Vec<(BString, BString)>,
    pub prefixes: Vec<(BString, BString)>,
    pub patterns: Vec<(NamedPattern, BString)>,
    pub default: Option<BString>,
}

/// A regular expression with the names of its groups, in lower case.
#[derive(Clone, Debug)]
pub struct NamedPattern {
    pub text: String,
    pub caseless: bool,
    pub names: Vec<(usize, String)>,
}

/// `geo`
#[derive(Clone, Debug, Default)]
pub struct Geo {
    /// The variable with the address, without its `$`.
    pub source: Option<String>,
    /// The rest is as it will be.
    pub table: table::Geo,
}

impl Definition {
    pub(super) fn lower(&self, names: &mut Names<'_>) -> Source {
        match self {
            Definition::Group => Source::Group,
            Definition::Map(map) => Source::Map(map.lower(names)),
            Definition::Geo(geo) => {
                let source = geo.source.as_ref().map(|name| names.variable(name));
                Source::Geo(table::Geo { source, ..geo.table.clone() })
            }
            Definition::Split(source, split) => {
                Source::Split(Split { source: names.template(source), ..split.clone() })
            }
        }
    }
}

impl Map {
    fn lower(&self, names: &mut Names<'_>) -> table::Map {
        let mut entries = |entries: &[(BString, BString)]| -> Vec<(Text, Template)> {
            let lower =
                |(key, value): &(BString, BString)| (Text(key.clone()), names.template(value));
            entries.iter().map(lower).collect()
        };
        let (exact, suffixes) = (entries(&self.exact), entries(&self.suffixes));
        let prefixes = entries(&self.prefixes);
        let patterns = self.patterns.iter();
        let patterns =
            patterns.map(|(pattern, value)| (pattern.lower(names), names.template(value)));
        table::Map {
            patterns: patterns.collect(),
            source: names.template(&self.source),
            hostnames: self.hostnames,
            volatile: self.volatile,
            exact,
            suffixes,
            prefixes,
            default: self.default.as_ref().map(|text| names.template(text)).unwrap_or_default(),
        }
    }
}

impl NamedPattern {
    pub(super) fn lower(&self, names: &mut Names<'_>) -> Pattern {
        let groups = self.names.iter();
        let groups = groups.map(|(number, name)| (*number, names.variable(name))).collect();
        Pattern { text: self.text.clone(), caseless: self.caseless, names: groups }
    }
}
