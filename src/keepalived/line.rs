//! One line of config text, each byte of which knows where it came from.

use std::ops::Range;

use crate::text::{Origin, Span};

/// A line on its way from a file to the words on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) text: Vec<u8>,
    /// In the order of the text; the first starts at 0, and each reaches up to the next.
    pieces: Vec<Piece>,
}

/// Bytes with one origin. Direct bytes stand in the file one by one from the span's start on;
/// expanded bytes all belong to the whole span, the place that used the `$variable`.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: usize,
    span: Span,
}

impl Line {
    /// Bytes that stand in the file just so.
    pub(super) fn direct(text: &[u8], span: Span) -> Self {
        Line { text: text.to_vec(), pieces: vec![Piece { at: 0, span }] }
    }

    /// Where the bytes of `range` came from.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        let first = self.piece(range.start);
        let Some(mut span) = first else { return Span::default() };
        if range.end > range.start {
            let last = self.piece(range.end - 1).unwrap_or(span);
            span = Span { end: last.end, ..span }.to(last);
        } else {
            span.end = span.start;
        }
        span
    }

    /// The place of the byte at `at`: itself where it is direct.
    fn piece(&self, at: usize) -> Option<Span> {
        let index = self.pieces.partition_point(|piece| piece.at <= at).checked_sub(1)?;
        let Piece { at: from, span } = self.pieces[index];
        Some(match span.origin {
            Origin::Direct => {
                let start = (span.start + (at - from) as u32).min(span.end);
                Span { start, end: (start + 1).min(span.end), ..span }
            }
            Origin::Expanded(_) => span,
        })
    }

    /// The whole line.
    pub(super) fn whole(&self) -> Span {
        self.span(0..self.text.len())
    }

    /// Adds text that came from the one place `span`.
    pub(super) fn push_expanded(&mut self, text: &[u8], span: Span) {
        if !text.is_empty() {
            self.pieces.push(Piece { at: self.text.len(), span });
            self.text.extend_from_slice(text);
        }
    }

    /// Adds a part of another line with its origins.
    pub(super) fn push_line(&mut self, other: &Line, range: Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            let next = self.next_piece(other, at).min(range.end);
            if let Some(place) = other.piece(at) {
                let span = match place.origin {
                    Origin::Direct => Span { end: place.start + (next - at) as u32, ..place },
                    Origin::Expanded(_) => place,
                };
                self.pieces.push(Piece { at: self.text.len(), span });
            }
            self.text.extend_from_slice(&other.text[at..next]);
            at = next;
        }
    }

    fn next_piece(&self, other: &Line, at: usize) -> usize {
        let index = other.pieces.partition_point(|piece| piece.at <= at);
        other.pieces.get(index).map_or(other.text.len(), |piece| piece.at)
    }

    /// The line from `at` on.
    pub(super) fn tail(&self, at: usize) -> Line {
        let mut line = Line::default();
        line.push_line(self, at..self.text.len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::FileId;

    #[test]
    fn spans_follow_the_bytes() {
        let direct = Span::new(FileId(0), 100, 110);
        let line = Line::direct(b"priority 5", direct);
        let word = line.span(9..10);
        assert!(word.same_place(Span::new(FileId(0), 109, 110)));

        let used = Span { origin: Origin::Expanded(3), ..Span::new(FileId(0), 104, 108) };
        let mut mixed = Line::default();
        mixed.push_line(&line, 0..4);
        mixed.push_expanded(b"XYZW", used);
        mixed.push_line(&line, 8..10);
        assert_eq!(mixed.text, b"prioXYZW 5");
        assert_eq!(mixed.span(5..7).origin, Origin::Expanded(3));
        assert!(mixed.span(5..7).same_place(used));
        assert!(mixed.span(9..10).same_place(Span::new(FileId(0), 109, 110)));
        assert!(mixed.tail(9).whole().same_place(Span::new(FileId(0), 109, 110)));
    }
}
