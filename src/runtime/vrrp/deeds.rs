//! What the machines want done: sent, put on, taken off, announced, told, logged, reported.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use super::role::Role;
use crate::plan::vrrp::{VirtualAddress, VirtualRouter};
use crate::runtime::handoff::{Control, Difference, Held, Report};
use crate::status::notice::News;
use crate::vrrp::group::Call;
use crate::vrrp::machine::{Action, Event, LogLevel, State};

/// What is no longer held is reported within this time.
const REPORT_SOON: Duration = Duration::from_millis(50);
/// After so long without a change of state, or many announcements, it is quiet enough to tidy up.
pub(super) const CALM: Duration = Duration::from_secs(3);
/// After this time a report that the supervisor didn't take is tried again.
const REPORT_AGAIN: Duration = Duration::from_millis(200);

/// The interfaces on which a router's deeds are done, where its config says others by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Places {
    adverts: String,
    addresses: String,
}

impl Places {
    pub(super) fn of(router: &VirtualRouter) -> Self {
        Places {
            adverts: router.advert_interface().to_owned(),
            addresses: router.address_interface().to_owned(),
        }
    }
}

impl Role {
    pub(super) fn tell(&mut self, now: Instant, at: usize, event: Event) {
        self.tell_on(now, at, event, None);
    }

    /// Hands an event to a machine and does what it wants done, on the interfaces given or on its
    /// own. What of it concerns its sync group is returned.
    pub(super) fn tell_alone(
        &mut self,
        now: Instant,
        at: usize,
        event: Event,
        places: Option<&Places>,
    ) -> Option<Call> {
        let sender = match &event {
            Event::Packet(packet) => Some(packet.source),
            _ => None,
        };
        let by_others = sender.is_some();
        let mut actions = std::mem::take(&mut self.actions);
        let priority = self.routers[at].machine.priority();
        let started = self.routers[at].machine.state() != State::Initialize;
        let machine = &mut self.routers[at].machine;
        if machine.router().wire.hmac.is_some() {
            machine.tell_wall_clock(now, SystemTime::now());
        }
        machine.handle(now, event, &mut actions);
        self.agenda.set(at, self.routers[at].machine.deadline());
        let call = Call::among(&actions);
        let settled = !actions.iter().any(|action| matches!(action, Action::Transition { .. }));
        for action in actions.drain(..) {
            match action {
                Action::Send(packet) => {
                    let own = self.routers[at].machine.router().advert_interface();
                    let on = places.map_or(own, |it| &it.adverts);
                    let sent = self.network.send(on, &packet);
                    self.complain_of_sending(now, at, sent);
                }
                Action::AddAddresses(addresses) => {
                    let interface = self.address_interface(at, places);
                    self.add(now, at, &interface, &addresses);
                }
                Action::RemoveAddresses(_) if self.addresses_stay => {}
                Action::RemoveAddresses(addresses) => {
                    let interface = self.address_interface(at, places);
                    for address in &addresses {
                        if self.passes(at, &interface, address) {
                            continue;
                        }
                        let removed = self.network.remove(&interface, address).map(drop);
                        let what = format!("removing {}", address.address);
                        self.complain(now, at, &what, removed);
                    }
                    self.report_soon();
                }
                Action::DropPackets(addresses) => {
                    let interface = self.address_interface(at, places);
                    self.guard_addresses(now, at, &interface, &addresses, true);
                }
                Action::AcceptPackets(_) if self.addresses_stay => {}
                Action::AcceptPackets(addresses) => {
                    let interface = self.address_interface(at, places);
                    self.guard_addresses(now, at, &interface, &addresses, false);
                }
                Action::AddRoutes(routes) => self.add_routes(now, at, &routes),
                Action::RemoveRoutes(routes) => self.remove_routes(now, at, &routes),
                Action::AddRules(rules) => self.add_rules(now, at, &rules),
                Action::RemoveRules(rules) => self.remove_rules(now, at, &rules),
                Action::Announce(address, round) => {
                    let VirtualAddress { interface, address, .. } = address;
                    let interface = interface.or_else(|| Some(places?.addresses.clone()));
                    self.announce(now, at, (interface, address), round, by_others && settled);
                }
                Action::Transition { to, priority, .. } => {
                    self.routers[at].note_transition(to);
                    self.tidy_at = Some(now + CALM);
                    self.proclaim(at, to, priority);
                }
                Action::RivalHeard { .. } => self.remark(at, News::MasterRxLowerPriority),
                // The members of a group hear of it.
                Action::Expired => {}
                Action::Log(level, line) => {
                    if by_others && settled {
                        match self.routers[at].valve.pass(now) {
                            None => continue,
                            Some(0) => {}
                            Some(n) => tracing::info!("{n} lines like the following left out"),
                        }
                    }
                    log(level, &line);
                }
                Action::Count(counter) => {
                    self.routers[at].count(counter);
                    self.trap_fault(now, at, counter, sender);
                }
            }
        }
        self.actions = actions;
        let machine = &self.routers[at].machine;
        if started && machine.priority() != priority {
            let active = machine.state() == State::Active;
            self.remark(at, if active { News::MasterPriority } else { News::BackupPriority });
        }
        call
    }

    fn address_interface(&self, at: usize, places: Option<&Places>) -> String {
        let own = self.routers[at].machine.router().address_interface();
        places.map_or(own, |it| &it.addresses).to_owned()
    }

    pub(super) fn add(
        &mut self,
        now: Instant,
        at: usize,
        interface: &str,
        addresses: &[VirtualAddress],
    ) {
        let claimed = self.network.claim(interface, addresses);
        self.claim_addresses(claimed);
        for address in addresses {
            let added = self.network.add(interface, address);
            self.complain(now, at, &format!("adding {}", address.address), added);
        }
    }

    /// Whoever cleans up behind us hears of them before they are added.
    pub(super) fn claim_addresses(&mut self, new: Vec<Held>) {
        if !new.is_empty() && self.control.report(&Report::Claiming(new)).is_err() {
            self.network.holdings.report_lost();
            self.report_soon();
        }
    }

    /// Says what the kernel refused; the daemon goes on.
    pub(super) fn complain(&mut self, now: Instant, at: usize, what: &str, result: io::Result<()>) {
        let Err(error) = result else { return };
        let router = &mut self.routers[at];
        if let Some(left_out) = router.valve.pass(now) {
            let more = if left_out > 0 { format!(" ({left_out} more)") } else { String::new() };
            tracing::warn!("({}) {what}: {error}{more}", router.name());
        }
    }

    /// In keepalived's words; nothing where it is plain that nothing can be sent.
    fn complain_of_sending(&mut self, now: Instant, at: usize, result: io::Result<()>) {
        let Err(error) = result else { return };
        let Some(number) = error.raw_os_error() else {
            return tracing::trace!("({}) {error}", self.routers[at].name());
        };
        let router = &mut self.routers[at];
        if [libc::ENETUNREACH, libc::ENETDOWN].contains(&number) && router.machine.is_down() {
            return;
        }
        if router.valve.pass(now).is_some() {
            let text = nix::errno::Errno::from_raw(number).desc();
            tracing::info!("({}): send advert error {number} ({text})", router.name());
        }
    }

    /// That something is no longer held has time: taking it off once more does no harm. So what
    /// many routers let go is one report.
    pub(super) fn report_soon(&mut self) {
        self.report_at.get_or_insert(Instant::now() + REPORT_SOON);
    }

    pub(super) fn report_held(&mut self) {
        self.report_at = None;
        // A supervisor that has gone is noticed where orders are read.
        let lost = |control: &Control, report| {
            let sent = control.report(&report);
            sent.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        if let Some(difference) = self.network.holdings.report() {
            let report = match difference {
                Difference::More(more) => Report::Claiming(more),
                Difference::Gone(gone) => Report::Released(gone),
                Difference::All(all) => Report::Holding(all),
            };
            if lost(&self.control, report) {
                self.network.holdings.report_lost();
                self.report_at = Some(Instant::now() + REPORT_AGAIN);
            }
        }
        if let Some(difference) = self.network.possessions.report()
            && lost(&self.control, Report::Possessing(difference))
        {
            self.network.possessions.report_lost();
            self.report_at = Some(Instant::now() + REPORT_AGAIN);
        }
    }

    pub(super) fn report(&self, report: &Report) {
        if let Err(error) = self.control.report(report) {
            tracing::debug!("the supervisor doesn't hear: {error}");
        }
    }
}

pub(super) fn log(level: LogLevel, line: &str) {
    match level {
        LogLevel::Debug => tracing::debug!("{line}"),
        LogLevel::Info => tracing::info!("{line}"),
        LogLevel::Warning => tracing::warn!("{line}"),
        LogLevel::Error => tracing::error!("{line}"),
    }
}
