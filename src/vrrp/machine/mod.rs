//! One virtual router on this node as a state machine.
//!
//! [`contract`](self) types ([`Event`], [`Action`]) are what it and its shell say to each other.
//! Timers are data ([`Machine::deadline`]): the shell calls with [`Event::Timeout`] when the
//! deadline has come, and the next deadline is then later than `now`. Behaviour and words are
//! those of keepalived 2.2.7 as watched from outside (`fixtures/vrrp` says how), which follows
//! RFC 3768, section 6.4. Where it is meant to differ, the place says so.
//!
//! This file has the states and the ways between them; `begin` how it begins and ends,
//! `election` what an advert changes, `advertise` and `announcer` what it sends, `reconfigure` a
//! reload, `together` what a sync group changes. Read [`contract`](Event) next.

mod advertise;
mod announcer;
mod begin;
mod belongings;
mod contract;
mod election;
mod reconfigure;
mod together;

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

pub use contract::{Action, ActiveReason, Counter, Event, LogLevel, Received, State};

use self::announcer::Announcer;
use super::packet::Ledger;
use super::track::{Standing, Verdict};
use crate::plan::track::link_patience;
use crate::plan::vrrp::{Version, VirtualRouter};

/// keepalived's least `advert_int`; below it a router would do nothing but advertise.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// The address owner's priority.
const OWNER: u8 = 255;

/// One virtual router. See the module's documentation.
#[derive(Debug)]
pub struct Machine {
    router: VirtualRouter,
    state: State,
    swept: bool,
    started: bool,
    up: bool,
    primary: Option<IpAddr>,
    /// While an address that adverts came from is being given up: the goodbye still comes from it.
    farewell_source: Option<IpAddr>,
    verdict: Verdict,
    /// The worst standing of the others in its sync group; `None`: it is in none.
    mates: Option<Standing>,
    /// In a group: the active router was missed and not heard since.
    expired: bool,
    /// An address owner that met another one goes on with 254.
    conceded: bool,
    /// Backup: what it waits for.
    countdown: Option<Countdown>,
    /// Backup, version 3: the interval of the active router, which is the one to wait by.
    learned_interval: Option<Duration>,
    /// The active router heard last, as priority and interval; kept for who asks.
    active: Option<(u8, Duration)>,
    active_address: Option<IpAddr>,
    /// Why it became active the last time.
    active_reason: Option<ActiveReason>,
    /// Backup: what has shown itself as the reason to become active since the countdown began.
    because: Option<ActiveReason>,
    /// Backup with `preempt_delay`: when a lower-priority active router stops being respected.
    preempt_at: Option<Instant>,
    /// Active: when the next advert is due.
    advert_at: Option<Instant>,
    announcer: Announcer,
    /// `vrrp_startup_delay`: until when nothing is taken over.
    listen_until: Option<Instant>,
    ledger: Ledger,
    /// A resumed router that waits for its scripts: until when it may begin active.
    resume_until: Option<Instant>,
}

/// Runs from `since`; how long depends on the priority, so a change of that moves the end.
#[derive(Clone, Copy, Debug)]
struct Countdown {
    since: Instant,
    span: CountdownSpan,
}

#[derive(Clone, Copy, Debug)]
enum CountdownSpan {
    /// `Active_Down_Interval`
    Down,
    /// `Skew_Time`: the active router said goodbye.
    Skew,
}

/// Things that are to be done, in order.
type Actions = Vec<Action>;

impl Machine {
    /// A router that isn't started: tell it its interface, its tracking, and [`Event::Start`].
    pub fn new(router: VirtualRouter) -> Self {
        let verdict = Verdict { priority: router.priority, standing: Standing::Fit };
        Machine {
            router,
            state: State::Initialize,
            swept: false,
            started: false,
            up: false,
            primary: None,
            farewell_source: None,
            verdict,
            mates: None,
            expired: false,
            conceded: false,
            countdown: None,
            learned_interval: None,
            active: None,
            active_address: None,
            active_reason: None,
            because: None,
            preempt_at: None,
            advert_at: None,
            announcer: Announcer::default(),
            listen_until: None,
            ledger: Ledger::default(),
            resume_until: None,
        }
    }

    pub fn router(&self) -> &VirtualRouter {
        &self.router
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// The effective priority: as configured and tracked.
    pub fn priority(&self) -> u8 {
        if self.conceded { self.verdict.priority.min(OWNER - 1) } else { self.verdict.priority }
    }

    /// Where its adverts come from. By unicast that is where the answers go as well, so the address
    /// has to be there: [`Event::Interface`] tells it as the primary one.
    pub fn source(&self) -> Option<IpAddr> {
        match self.router.unicast {
            Some(_) => self.primary,
            None => self.router.source.or(self.primary),
        }
    }

    /// Its interface is.
    pub fn is_down(&self) -> bool {
        !self.up
    }

    /// Goes on with what the router before it, by an older config, has counted and heard.
    pub fn inherit(&mut self, before: &Machine) {
        self.ledger = before.ledger.clone();
        self.ledger.begin_anew();
    }

    /// The active router that is heard, as priority and interval.
    pub fn active(&self) -> Option<(u8, Duration)> {
        self.active
    }

    /// Where its last advert came from.
    pub fn active_address(&self) -> Option<IpAddr> {
        self.active_address
    }

    /// Why it became active the last time; `None`: it never did.
    pub fn active_reason(&self) -> Option<ActiveReason> {
        self.active_reason
    }

    /// Where the last advert came from that was valid, whatever became of it.
    pub fn last_sender(&self) -> Option<IpAddr> {
        self.ledger.sender()
    }

    /// When to call with [`Event::Timeout`]; `None`: nothing is waited for.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Backup => self.countdown.map(|countdown| self.end_of(countdown)),
            State::Active => {
                [self.advert_at, self.announcer.deadline()].into_iter().flatten().min()
            }
            State::Initialize => self.begin_at().or(self.resume_until),
            State::Fault => None,
        }
    }

    /// What the host's clock shows: with `auth_hmac` to be told before every event.
    pub fn tell_wall_clock(&mut self, now: Instant, wall: SystemTime) {
        self.ledger.tell_wall_clock(now, wall);
    }

    pub fn handle(&mut self, now: Instant, event: Event, out: &mut Actions) {
        self.notice_oversleeping(now, out);
        match event {
            Event::Sweep { there } => self.sweep(there, out),
            Event::Start => self.start(now, out),
            Event::Resume => self.resume(now, out),
            Event::ListenUntil(until) => self.listen_until = Some(until),
            Event::Timeout => self.time_out(now, out),
            Event::Unready if self.state == State::Backup => self.wait(now, CountdownSpan::Skew),
            Event::Unready => self.time_out(now, out),
            Event::Deaf if self.state == State::Backup => self.wait(now, CountdownSpan::Down),
            Event::Deaf => {}
            Event::Packet(packet) => self.hear(now, &packet, out),
            Event::Interface { up, primary } => self.follow_interface(now, up, primary, out),
            Event::Tracking(verdict) => self.track(now, verdict, out),
            Event::Mates(_) | Event::Activate | Event::StepBack { .. } | Event::Contested => {
                self.hear_group(now, &event, out);
            }
            Event::Recovered { verdict, adds } => self.recover(now, verdict, adds, out),
            Event::AddressLost(address) => self.lose_address(now, &address.address, out),
            Event::BelongingLost(what) => self.lose_belonging(now, &what, out),
            Event::Reconfigure(router, verdict) => self.reconfigure(now, *router, verdict, out),
            Event::Announce if self.state == State::Active => {
                self.announcer.asked(&self.router, out);
            }
            Event::Announce => {}
            Event::Shutdown => self.shut_down(now, out),
        }
    }

    /// How long a backup waits for an advert: usually 3 × interval + skew.
    pub fn down_interval(&self) -> Duration {
        let adverts = u32::from(self.router.conduct.down_timer_adverts);
        self.waited_interval() * adverts + self.skew_of(self.priority())
    }

    /// How long its interface may be down before it counts as that. A little later others would
    /// take over from this router, and this router from others.
    pub fn patience_with_links(&self) -> Duration {
        let adverts = self.router.conduct.down_timer_adverts;
        link_patience(self.waited_interval(), adverts)
    }

    /// (256 − priority) / 256 seconds; in version 3 of an interval.
    fn skew_of(&self, priority: u8) -> Duration {
        let unit = match self.router.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => self.waited_interval(),
        };
        unit * (256 - u32::from(priority)) / 256
    }

    fn waited_interval(&self) -> Duration {
        self.learned_interval.unwrap_or(self.router.advert_interval).max(SHORTEST_INTERVAL)
    }

    fn end_of(&self, countdown: Countdown) -> Instant {
        countdown.since
            + match countdown.span {
                CountdownSpan::Down => self.down_interval(),
                CountdownSpan::Skew => self.skew_of(self.priority()),
            }
    }

    fn time_out(&mut self, now: Instant, out: &mut Actions) {
        match self.state {
            State::Backup => {
                if self.deadline().is_some_and(|deadline| deadline <= now) {
                    self.debug(out, "Receive advertisement timeout");
                    if self.mates.is_none() {
                        self.become_active(now, out);
                    } else {
                        self.wait_for_the_others(now, out);
                    }
                }
            }
            State::Active => {
                if self.advert_at.is_some_and(|due| due <= now) {
                    self.send_advert(now, out);
                }
                self.announcer.catch_up(now, &self.router, out);
            }
            State::Initialize => {
                if self.begin_at().is_some_and(|at| at <= now) {
                    self.debug(out, "Receive advertisement timeout");
                    self.become_active(now, out);
                }
                if self.resume_until.is_some_and(|until| until <= now) {
                    self.give_up_resuming(out);
                }
            }
            State::Fault => {}
        }
    }

    /// An active router whose timers fire later than a backup waits must suppose that another one
    /// has taken over: it listens first. keepalived goes on instead, and both hold the addresses.
    fn notice_oversleeping(&mut self, now: Instant, out: &mut Actions) {
        if !self.has_overslept(now) {
            return;
        }
        let (late, patience) = (self.lateness(now), self.patience());
        self.log(
            out,
            LogLevel::Warning,
            &format!(
                "timers are {:.3} s late, longer than a backup waits ({:.3} s): listening first",
                late.as_secs_f64(),
                patience.as_secs_f64()
            ),
        );
        self.step_back(now, CountdownSpan::Down, out);
    }

    /// Has it been silent for so long that others may be active by now? It learns that itself from
    /// the next event; what it wanted done before must not be done any more.
    pub fn has_overslept(&self, now: Instant) -> bool {
        let late = self.lateness(now);
        !late.is_zero() && late >= self.patience()
    }

    /// Of its next advert; zero where none is due.
    fn lateness(&self, now: Instant) -> Duration {
        let due = self.advert_at.filter(|_| self.state == State::Active);
        due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due))
    }

    /// How late an advert may be: a backup waits from the one before it, which was in time. With
    /// `timer_expired_backup` the others' highest priority is known; else a backup has a lower one
    /// than this node, and waits for longer.
    fn patience(&self) -> Duration {
        let missed = u32::from(self.router.conduct.down_timer_adverts) - 1;
        let highest = self.router.conduct.step_back_when_late.unwrap_or(self.priority());
        self.waited_interval() * missed + self.skew_of(highest)
    }

    fn follow_interface(
        &mut self,
        now: Instant,
        up: bool,
        primary: Option<IpAddr>,
        out: &mut Actions,
    ) {
        let last = self.source();
        (self.up, self.primary) = (up, primary);
        if self.source().is_none() {
            self.farewell_source = last;
        }
        self.settle(now, out);
        self.farewell_source = None;
    }

    fn track(&mut self, now: Instant, verdict: Verdict, out: &mut Actions) {
        let before = self.priority();
        self.verdict = verdict;
        let after = self.priority();
        if before != after {
            self.info(out, &format!("Changing effective priority from {before} to {after}"));
        }
        self.settle(now, out);
    }

    fn recover(&mut self, now: Instant, verdict: Verdict, adds: bool, out: &mut Actions) {
        self.verdict = verdict;
        if adds {
            self.info(out, &format!("Setting effective priority to {}", self.priority()));
        }
        self.settle(now, out);
    }

    /// Brings the state in line with interface and tracking.
    fn settle(&mut self, now: Instant, out: &mut Actions) {
        if !self.started {
            return;
        }
        match (self.state, self.standing()) {
            (State::Initialize, Standing::Faulty) => {
                self.give_up_resuming(out);
                self.transition(State::Fault, out);
            }
            // An owner that has waited for its scripts.
            (State::Initialize, Standing::Fit) if self.begins_active() => {
                if self.begin_at().is_none_or(|at| at <= now) {
                    self.become_active(now, out);
                }
            }
            (State::Initialize, Standing::Fit) if self.resume_until.take().is_some() => {
                self.info(out, "taking over from a process that died");
                self.become_active(now, out);
            }
            (State::Backup | State::Active, Standing::Faulty) => {
                self.fail(now, out);
            }
            (State::Initialize | State::Fault, Standing::Fit) => {
                self.info(out, "Entering BACKUP STATE");
                self.wait(now, CountdownSpan::Down);
                self.transition(State::Backup, out);
            }
            (State::Fault, Standing::Faulty)
            | (State::Backup | State::Active, Standing::Fit)
            | (_, Standing::Waiting) => {}
        }
    }

    /// Why it would become active.
    fn reason_now(&self) -> ActiveReason {
        let span = self.countdown.map(|countdown| countdown.span);
        match (self.because, span) {
            _ if self.state == State::Initialize => ActiveReason::Preempted,
            (Some(reason), _) => reason,
            (None, Some(CountdownSpan::Skew)) => ActiveReason::Priority,
            (None, _) => ActiveReason::NoResponse,
        }
    }

    fn become_active(&mut self, now: Instant, out: &mut Actions) {
        self.info(out, "Entering MASTER STATE");
        out.push(Action::Count(Counter::BecomeMaster));
        self.active_reason = Some(self.reason_now());
        self.countdown = None;
        self.expired = false;
        self.unlearn_interval(out);
        self.active = None;
        self.active_address = None;
        self.preempt_at = None;
        let from = std::mem::replace(&mut self.state, State::Active);
        self.send_advert(now, out);
        self.hold(out);
        self.announcer.begin(now, &self.router, out);
        out.push(Action::Transition { from, to: State::Active, priority: self.priority() });
    }

    /// From active to backup; what it then waits for is given.
    fn step_back(&mut self, now: Instant, span: CountdownSpan, out: &mut Actions) {
        self.info(out, "Entering BACKUP STATE");
        self.stop_being_active(out);
        self.wait(now, span);
        self.transition(State::Backup, out);
    }

    /// Leaves the active state, if in it, with a goodbye to the others.
    fn release(&mut self, now: Instant, out: &mut Actions) {
        if self.state != State::Active {
            return;
        }
        self.say_goodbye(now, out);
        self.debug(out, "sent 0 priority");
        self.stop_being_active(out);
    }

    fn stop_being_active(&mut self, out: &mut Actions) {
        self.advert_at = None;
        self.announcer = Announcer::default();
        out.push(Action::Count(Counter::ReleaseMaster));
        self.put_down(out);
    }

    fn wait(&mut self, now: Instant, span: CountdownSpan) {
        let since = self.listen_until.map_or(now, |until| until.max(now));
        self.countdown = Some(Countdown { since, span });
        self.because = None;
        self.expired = false;
    }

    /// From active to backup with a goodbye; unless somebody takes over, it is active again soon.
    fn let_go(&mut self, now: Instant, out: &mut Actions) {
        self.info(out, "Entering BACKUP STATE");
        self.release(now, out);
        self.wait(now, CountdownSpan::Skew);
        self.transition(State::Backup, out);
    }

    /// Changes the state and tells so; timers of the old state end.
    fn transition(&mut self, to: State, out: &mut Actions) {
        if to != State::Backup {
            self.countdown = None;
            self.expired = false;
            self.active = None;
        }
        self.preempt_at = None;
        self.learned_interval = None;
        let from = std::mem::replace(&mut self.state, to);
        out.push(Action::Transition { from, to, priority: self.priority() });
    }

    fn debug(&self, out: &mut Actions, line: &str) {
        self.log(out, LogLevel::Debug, line);
    }

    fn info(&self, out: &mut Actions, line: &str) {
        self.log(out, LogLevel::Info, line);
    }

    fn log(&self, out: &mut Actions, level: LogLevel, line: &str) {
        out.push(Action::Log(level, format!("({}) {line}", self.router.name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backup of priority 100 waits 3.609 s, and the advert before the one that is due was in
    /// time.
    #[test]
    fn silence_longer_than_a_backup_waits_is_noticed_before_the_next_event() {
        let mut machine = Machine::new(VirtualRouter {
            priority: 100,
            initial: crate::plan::vrrp::InitialState::Master,
            ..VirtualRouter::new("VI_1", 51, "eth0")
        });
        let (now, mut out) = (Instant::now(), Vec::new());
        let primary = Some([10, 0, 0, 1].into());
        machine.handle(now, Event::Interface { up: true, primary }, &mut out);
        machine.handle(now, Event::Start, &mut out);
        while machine.state() != State::Active {
            let deadline = machine.deadline().unwrap();
            machine.handle(deadline, Event::Timeout, &mut out);
        }
        let due = machine.deadline().unwrap();
        assert!(!machine.has_overslept(due + Duration::from_millis(2_500)));
        let late = due + Duration::from_millis(2_700);
        assert!(machine.has_overslept(late));
        assert_eq!(machine.state(), State::Active, "asking changes nothing");
        machine.handle(late, Event::Timeout, &mut out);
        assert_eq!(machine.state(), State::Backup);
        assert!(!machine.has_overslept(late + Duration::from_secs(60)), "a backup may be silent");
    }
}
