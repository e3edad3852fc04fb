//! How a keyword is declared.
//!
//! Each dialect has tables of [`Directive`] rows, and everything that knows about keywords comes
//! from them: [`check`] holds a tree against them, [`page`] prints the support matrix from them.
//! A row's setter parses and stores into the dialect's typed config; it never does anything else.
//! Read [`check`] next.

pub mod check;
pub mod page;

use crate::text::{Diagnostics, Node};

/// One keyword in one or several contexts.
pub struct Directive<C: 'static> {
    pub name: &'static str,
    /// Where it may stand, in the words of `fixtures/upstream/*.tsv`: `main`, `server`,
    /// `vrrp_instance authentication`.
    pub contexts: &'static [&'static str],
    pub arity: Arity,
    /// The arguments' shape for people: `SECONDS`, `ADDRESS[:PORT] [weight=N]`.
    pub args: &'static str,
    pub body: Body,
    pub repeat: Repeat,
    /// A block inherits it from the block around it.
    pub inherited: bool,
    /// What holds when it isn't given, in words that could stand in the file.
    pub default: Option<&'static str>,
    /// The upstream version that brought it, where that matters.
    pub since: Option<&'static str>,
    /// One line, in our own words.
    pub summary: &'static str,
    pub support: Support,
    pub set: Setter<C>,
}

/// Parses a node's arguments into the config and complains about what is wrong with them.
pub type Setter<C> = fn(&mut C, &Node, &mut Diagnostics);

/// How many arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// One of these counts (nginx's `TAKE12` is `OneOf(&[1, 2])`).
    OneOf(&'static [usize]),
    AtLeast(usize),
    /// Exactly one, `on` or `off`.
    Flag,
    Any,
}

impl Arity {
    pub const NONE: Arity = Arity::OneOf(&[0]);
    pub const ONE: Arity = Arity::OneOf(&[1]);
    pub const TWO: Arity = Arity::OneOf(&[2]);

    pub fn takes(self, count: usize) -> bool {
        match self {
            Arity::OneOf(counts) => counts.contains(&count),
            Arity::AtLeast(least) => count >= least,
            Arity::Flag => count == 1,
            Arity::Any => true,
        }
    }
}

/// What may stand behind the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    None,
    /// `{ … }` with directives of this context.
    Block(&'static str),
    /// `{ … }` with free lines (`virtual_ipaddress`) or pairs (`map`), which the setter reads.
    Lines,
    /// `{ … }` with free lines, or nothing.
    OptionalLines,
}

/// What a second one in the same block means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Adds to the first.
    Adds,
    /// Takes the place of the first.
    Replaces,
    /// Is an error.
    Refused,
}

/// How far Evenkeel goes with a keyword. Every text is for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Does all that upstream's documentation says.
    Full,
    /// Does some of it; the text says what not.
    Partial(&'static str),
    /// Accepted, without effect, because it can have none here (the reason).
    Ignored(&'static str),
    /// Not run; whatever needs it doesn't start or the keyword is lost, and this is said (the
    /// reason).
    Refused(&'static str),
}

impl Support {
    pub fn word(self) -> &'static str {
        match self {
            Support::Full => "full",
            Support::Partial(_) => "partial",
            Support::Ignored(_) => "ignored",
            Support::Refused(_) => "refused",
        }
    }

    pub fn reason(self) -> Option<&'static str> {
        match self {
            Support::Full => None,
            Support::Partial(why) | Support::Ignored(why) | Support::Refused(why) => Some(why),
        }
    }
}

impl<C> std::fmt::Debug for Directive<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {:?}", self.name, self.contexts)
    }
}
