//! What a role has put on the host: handed to its successor, or taken away when there is none.

use std::collections::HashSet;
use std::io;

use crate::kernel::netlink::Netlink;
use crate::runtime::handoff::{Difference, Held, Possession, Report, Succession};
use crate::runtime::placing;

#[derive(Debug, Default)]
pub(super) struct Leftovers {
    held: HashSet<Held>,
    possessions: HashSet<Possession>,
}

impl Leftovers {
    /// Takes note of a report of that kind; others mean nothing here.
    pub(super) fn note(&mut self, report: Report) {
        match report {
            Report::Claiming(more) => self.held.extend(more),
            Report::Released(gone) => gone.iter().for_each(|it| _ = self.held.remove(it)),
            Report::Holding(held) => self.held = held.into_iter().collect(),
            Report::Possessing(Difference::More(more)) => self.possessions.extend(more),
            Report::Possessing(Difference::Gone(gone)) => {
                gone.iter().for_each(|it| _ = self.possessions.remove(it));
            }
            Report::Possessing(Difference::All(all)) => {
                self.possessions = all.into_iter().collect();
            }
            Report::Ready | Report::Failed { .. } | Report::WantReload => {}
        }
    }

    /// What a successor is told.
    pub(super) fn to_succession<P>(&self, plan: P) -> Succession<P> {
        Succession {
            plan,
            first: false,
            held: self.held.iter().copied().collect(),
            possessions: self.possessions.iter().cloned().collect(),
        }
    }

    /// Takes everything away, in the opposite order of how it came.
    pub(super) fn release(&self) {
        if self.held.is_empty() && self.possessions.is_empty() {
            return;
        }
        let failed = |what: &str, error: io::Error| {
            tracing::error!("{what} of the dead vrrp role stays: {error}");
        };
        let mut netlink = match Netlink::open() {
            Ok(netlink) => netlink,
            Err(error) => return failed("what", error),
        };
        let mut possessions: Vec<&Possession> = self.possessions.iter().collect();
        possessions.sort_by_key(|it| placing::age(it));
        let (before, after) = possessions
            .split_at(possessions.partition_point(|it| placing::age(it) < placing::Age::Addresses));
        for it in before {
            if let Err(error) = placing::take_away(&mut netlink, it) {
                failed(&placing::name(it), error);
            }
        }
        for Held { index, address, prefix } in &self.held {
            // An interface that has gone has taken its addresses along.
            match netlink.remove_address(*index, *address, *prefix) {
                Ok(true) => {
                    let name = nix::net::if_::if_indextoname(*index).unwrap_or_default();
                    tracing::info!("{address} removed from {}", name.to_string_lossy());
                }
                Ok(false) => {}
                Err(error) => failed(&address.to_string(), error),
            }
        }
        for it in after {
            if let Err(error) = placing::take_away(&mut netlink, it) {
                failed(&placing::name(it), error);
            }
        }
    }
}
