//! Every byte that was read, from which file.

use std::path::{Path, PathBuf};

use super::span::{FileId, Origin, Span};

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as the user would write it, for messages.
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    line_starts: Vec<u32>,
}

/// Where expanded text came from: the definition's name and place.
#[derive(Clone, Debug)]
pub struct Expansion {
    pub name: String,
    pub definition: Span,
}

/// All files of one load, in the order they were read.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
    expansions: Vec<Expansion>,
    /// Bytes that hold secrets.
    concealed: Vec<Span>,
}

/// A place for people: 1-based line and column (in characters).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl SourceMap {
    pub fn add(&mut self, path: impl Into<PathBuf>, bytes: Vec<u8>) -> FileId {
        let newlines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(at, _)| at as u32 + 1)).collect();
        self.files.push(SourceFile { path: path.into(), bytes, line_starts });
        FileId(self.files.len() as u32 - 1)
    }

    /// Remembers a definition; spans of text expanded from it carry the origin returned.
    pub fn add_expansion(&mut self, name: impl Into<String>, definition: Span) -> Origin {
        self.expansions.push(Expansion { name: name.into(), definition });
        Origin::Expanded(self.expansions.len() as u32 - 1)
    }

    /// From here on the bytes at `span` are shown as asterisks.
    pub fn conceal(&mut self, span: Span) {
        self.concealed.push(span);
        // A secret may stand in the definition that it was expanded from.
        if let Some(expansion) = self.expansion(span.origin) {
            let definition = expansion.definition;
            self.concealed.push(definition);
        }
    }

    /// The bytes `range` of a file as they may be shown.
    pub fn shown(&self, id: FileId, range: std::ops::Range<usize>) -> Vec<u8> {
        let Some(file) = self.file(id) else { return Vec::new() };
        let mut bytes = file.bytes[range.clone()].to_vec();
        for secret in self.concealed.iter().filter(|secret| secret.file == id) {
            let from = (secret.start as usize).max(range.start);
            let to = (secret.end as usize).min(range.end);
            for byte in
                bytes.iter_mut().take(to.saturating_sub(range.start)).skip(from - range.start)
            {
                *byte = b'*';
            }
        }
        bytes
    }

    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    pub fn path(&self, id: FileId) -> &Path {
        self.file(id).map_or(Path::new("-"), |file| &file.path)
    }

    pub fn expansion(&self, origin: Origin) -> Option<&Expansion> {
        match origin {
            Origin::Direct => None,
            Origin::Expanded(index) => self.expansions.get(index as usize),
        }
    }

    /// The line and column at which `span` starts.
    pub fn place(&self, span: Span) -> Place {
        let Some(file) = self.file(span.file) else { return Place { line: 1, column: 1 } };
        let line = file.line_starts.partition_point(|start| *start <= span.start).max(1);
        let from = file.line_starts[line - 1] as usize;
        let to = (span.start as usize).clamp(from, file.bytes.len());
        let column = String::from_utf8_lossy(&file.bytes[from..to]).chars().count() + 1;
        Place { line, column }
    }
}
