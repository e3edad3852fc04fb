//! Config text and what can be said about it.
//!
//! [`source`] keeps every byte that was read and knows lines and columns; [`span`] names a place
//! and how it came to be there; [`tree`] is what both dialects parse into; [`value`] reads
//! numbers, durations, sizes and addresses with nom; [`diagnostic`] is a complaint as data and
//! [`render`] puts it into one of three voices. Read [`span`] next.

pub mod diagnostic;
pub mod render;
pub mod source;
pub mod span;
pub mod tree;
pub mod value;

pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use source::SourceMap;
pub use span::{FileId, Origin, Span};
pub use tree::{Node, Word};
