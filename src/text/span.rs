//! A place in the config text.

use serde::{Deserialize, Serialize};

/// One of the files in a [`SourceMap`](super::SourceMap), in the order they were read.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct FileId(pub u32);

/// How the text at a span came to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// The bytes stand in the file just so.
    #[default]
    Direct,
    /// The bytes come from a `$variable`, `~SEQ` or similar; the span is the place that used it,
    /// and the number finds the definition in [`SourceMap::expansion`](super::SourceMap::expansion).
    Expanded(u32),
}

/// Bytes `start..end` of one file.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
    #[serde(default, skip_serializing_if = "is_direct")]
    pub origin: Origin,
}

fn is_direct(origin: &Origin) -> bool {
    *origin == Origin::Direct
}

/// Spans never make two plans differ: a config that only moved by a line is the same config.
impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

impl Span {
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Span { file, start: start as u32, end: end as u32, origin: Origin::Direct }
    }

    /// From the start of `self` to the end of `other`; both in one file, else `self`.
    pub fn to(self, other: Span) -> Span {
        if self.file == other.file && other.end >= self.start {
            Span { end: other.end, ..self }
        } else {
            self
        }
    }

    /// The two spans cover the same bytes. (`==` ignores spans on purpose.)
    pub fn same_place(self, other: Span) -> bool {
        (self.file, self.start, self.end) == (other.file, other.start, other.end)
    }
}
