//! Sections for what `static_*` puts in place, and for the groups that track it.

use std::fmt::{Result, Write};

use super::placed;
use crate::plan::route::{Static, Statics};
use crate::status::snapshot::Snapshot;

pub(super) fn write(out: &mut String, snapshot: &Snapshot) -> Result {
    let Statics { addresses, routes, rules, groups } = &snapshot.statics;
    let addresses: Vec<String> = addresses
        .iter()
        .zip(&snapshot.held_statics)
        .map(|(Static { item, group, .. }, held)| {
            let interface = item.interface.as_deref().unwrap_or_default();
            placed::address(item, interface, group, *held)
        })
        .collect();
    let routes = routes.iter().map(|it| placed::route(&it.item, &it.group)).collect();
    let rules = rules.iter().map(|it| placed::rule(&it.item, &it.group)).collect();
    for (what, lines) in [("Addresses", addresses), ("Routes", routes), ("Rules", rules)] {
        if !lines.is_empty() {
            writeln!(out, "------< Static {what} >------")?;
        }
        lines.iter().try_for_each(|line| writeln!(out, "     {line}"))?;
    }
    if !groups.is_empty() {
        writeln!(out, "------< Static Track groups >------")?;
    }
    for group in groups {
        writeln!(out, " Static Track Group = {}", group.name)?;
        writeln!(out, "   VRRP member instances :")?;
        group.routers.iter().try_for_each(|name| writeln!(out, "     {name}"))?;
    }
    Ok(())
}
