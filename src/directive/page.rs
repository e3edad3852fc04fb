//! The tables as something to read: the support matrix as text and as JSON.

use serde::Serialize;

use super::{Directive, Support};

/// One row of the matrix: a keyword in one context.
#[derive(Clone, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub context: &'static str,
    pub name: &'static str,
    pub args: &'static str,
    pub support: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    pub summary: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<&'static str>,
}

/// How many rows of each support.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Counts {
    pub full: usize,
    pub partial: usize,
    pub ignored: usize,
    pub refused: usize,
}

/// One row per directive and context, sorted by context and name.
pub fn rows<C: 'static>(tables: impl Iterator<Item = &'static Directive<C>>) -> Vec<Row> {
    let mut rows: Vec<Row> = tables
        .flat_map(|directive| {
            directive.contexts.iter().map(move |context| Row {
                context,
                name: directive.name,
                args: directive.args,
                support: directive.support.word(),
                reason: directive.support.reason(),
                summary: directive.summary,
                default: directive.default,
            })
        })
        .collect();
    rows.sort();
    rows
}

pub fn counts(rows: &[Row]) -> Counts {
    let count = |support: Support| rows.iter().filter(|row| row.support == support.word()).count();
    Counts {
        full: count(Support::Full),
        partial: count(Support::Partial("")),
        ignored: count(Support::Ignored("")),
        refused: count(Support::Refused("")),
    }
}

/// The matrix as a page for a terminal.
pub fn text(title: &str, rows: &[Row]) -> String {
    let Counts { full, partial, ignored, refused } = counts(rows);
    let mut page = format!(
        "{title}: {} rows: {full} full, {partial} partial, {ignored} ignored, {refused} refused\n",
        rows.len()
    );
    let mut context = "";
    for row in rows {
        if row.context != context {
            context = row.context;
            page += &format!("\n{context}\n");
        }
        page += &format!("  {:<36} {:<8} {}\n", row.name, row.support, row.summary);
        if let Some(reason) = row.reason {
            page += &format!("  {:<45} {reason}\n", "");
        }
    }
    page
}
