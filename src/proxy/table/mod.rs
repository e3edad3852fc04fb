//! Variables that a config makes of others, ready to be asked: `map`, `geo` and `split_clients` of
//! a plan, compiled once per plan; and the names of servers. None of them knows sessions:
//! [`variable`](super::variable) brings the value to look up, and does what follows from the answer.

pub mod geo;
pub mod map;
mod masks;
pub mod pattern;
pub mod server_names;
pub mod split;

use crate::plan::template::Source;

/// What is compiled of a variable's source; facts and assigned ones have none.
#[derive(Debug)]
pub enum Table {
    Map(map::Map),
    Geo(geo::Geo),
    Split(split::Split),
}

impl Table {
    /// # Errors
    /// A regular expression that PCRE2 doesn't take.
    pub fn of(source: &Source) -> Result<Option<Self>, pcre2::Error> {
        Ok(match source {
            Source::Map(map) => Some(Table::Map(map::Map::new(map)?)),
            Source::Geo(geo) => Some(Table::Geo(geo::Geo::new(geo))),
            Source::Split(split) => Some(Table::Split(split::Split::new(split))),
            Source::Fact(_) | Source::Assigned | Source::Group => None,
        })
    }
}
