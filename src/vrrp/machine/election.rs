//! What an advert of another node changes.

use std::net::IpAddr;
use std::time::Instant;

use super::{
    Action, Actions, ActiveReason, CountdownSpan, Counter, LogLevel, Machine, OWNER, Received,
    State,
};
use crate::plan::vrrp::{Authentication, Version};
use crate::vrrp::packet::{Advert, Expected, Reject, examine, speaker};

impl Machine {
    /// A packet came in. One that doesn't count changes nothing but statistics; keepalived lets it
    /// put off the active router's next advert, which is enough to unseat it.
    pub(super) fn hear(&mut self, now: Instant, packet: &Received, out: &mut Actions) {
        if !matches!(self.state, State::Backup | State::Active) {
            return;
        }
        if self.priority() == OWNER && self.router.conduct.owner_ignores_adverts {
            return;
        }
        let expected =
            Expected { router: &self.router, source: self.source(), ledger: &self.ledger };
        match examine(now, packet, expected) {
            Ok(heard) => {
                let advert = &heard.advert;
                out.push(Action::Count(Counter::AdvertReceived));
                if advert.priority == 0 {
                    out.push(Action::Count(Counter::PriorityZeroReceived));
                }
                // Measured: to keepalived it is one received, whoever sent it.
                if let Err(reject) = speaker(packet, &self.router) {
                    return self.refuse(&reject, out);
                }
                if heard.old_checksum {
                    self.info(out, "Setting unicast VRRPv3 checksum to old version");
                }
                self.ledger.accept(&heard, packet.source);
                match self.state {
                    State::Active => self.hear_as_active(now, packet.source, advert, out),
                    _ => self.hear_as_backup(now, packet.source, advert, out),
                }
            }
            Err(reject) => self.refuse(&reject, out),
        }
    }

    fn refuse(&self, reject: &Reject, out: &mut Actions) {
        if *reject == Reject::NotForUs {
            return;
        }
        out.extend(reject.counter().map(Action::Count));
        let message = reject.message(&self.router);
        match reject {
            // keepalived doesn't know yet whose packet it is.
            Reject::NoHeader { .. } | Reject::Vrid(_) | Reject::SecurityIndex { .. } => {
                out.push(Action::Log(LogLevel::Info, message));
            }
            _ => self.info(out, &message),
        }
    }

    fn hear_as_backup(&mut self, now: Instant, source: IpAddr, advert: &Advert, out: &mut Actions) {
        if advert.priority == 0 {
            self.debug(out, "Backup received priority 0 advertisement");
            self.wait(now, CountdownSpan::Skew);
            return;
        }
        if self.router.preempt && advert.priority < self.priority() {
            if !self.respects_lower(now, out) {
                let priority = advert.priority;
                self.info(
                    out,
                    &format!(
                        "received lower priority ({priority}) advert from {source} - discarding"
                    ),
                );
                self.because = Some(ActiveReason::Preempted);
                return;
            }
        } else {
            self.preempt_at = None;
        }
        self.active = Some((advert.priority, advert.interval));
        self.active_address = Some(source);
        self.learn_interval(advert, out);
        self.wait(now, CountdownSpan::Down);
    }

    /// With `preempt_delay` a lower-priority active router is left alone for that long, counted
    /// from its first advert.
    fn respects_lower(&mut self, now: Instant, out: &mut Actions) -> bool {
        let delay = self.router.preempt_delay;
        if delay.is_zero() {
            return false;
        }
        if self.preempt_at.is_none() {
            self.debug(out, &format!("start preempt delay ({:.6})", delay.as_secs_f64()));
        }
        now < *self.preempt_at.get_or_insert(now + delay)
    }

    fn learn_interval(&mut self, advert: &Advert, out: &mut Actions) {
        let (old, new) = (self.waited_interval(), advert.interval);
        // An interval of 0 would make every node take over at once.
        if self.router.version == Version::V3 && new != old && !new.is_zero() {
            self.info(
                out,
                &format!(
                    "advertisement interval updated from {}ms to {}ms by master",
                    old.as_millis(),
                    new.as_millis()
                ),
            );
            self.learned_interval = Some(new);
        }
    }

    /// A router that becomes active goes by its own interval again.
    pub(super) fn unlearn_interval(&mut self, out: &mut Actions) {
        let (own, learned) = (self.router.advert_interval, self.learned_interval.take());
        if let Some(learned) = learned.filter(|it| *it != own) {
            let (from, to) = (learned.as_millis(), own.as_millis());
            self.info(
                out,
                &format!("changing advert interval from {from}ms to locally configured {to}ms"),
            );
        }
    }

    fn hear_as_active(&mut self, now: Instant, source: IpAddr, advert: &Advert, out: &mut Actions) {
        if advert.priority == 0 {
            self.debug(out, "Master received priority 0 message");
            self.send_advert(now, out);
            return;
        }
        if advert.priority == OWNER && self.priority() == OWNER {
            self.log(
                out,
                LogLevel::Error,
                "CONFIGURATION ERROR: local instance and a remote instance are both configured as \
                 address owner, please fix - reducing local priority",
            );
            self.conceded = true;
        }
        let (theirs, ours) = (advert.priority, self.priority());
        let same_but_higher = theirs == ours && self.source().is_some_and(|own| source > own);
        if (theirs > ours || same_but_higher) && self.router.conduct.higher_priority_send_advert {
            // What the switches heard last may have been ours: now the other one announces again.
            self.send_advert(now, out);
        }
        if theirs > ours {
            self.info(
                out,
                &format!(
                    "Master received advert from {source} with higher priority {theirs}, ours {ours}"
                ),
            );
            self.give_way(now, advert, out);
        } else if same_but_higher {
            self.info(
                out,
                &format!(
                    "Master received advert from {source} with same priority {theirs} but higher \
                     IP address than ours"
                ),
            );
            self.give_way(now, advert, out);
        } else {
            let line =
                format!("Received advert from {source} with lower priority {theirs}, ours {ours}");
            if self.router.conduct.lower_priority_no_advert {
                self.info(out, &line);
            } else {
                self.info(out, &format!("{line}, forcing new election"));
                if matches!(self.router.authentication, Some(Authentication::Header(_))) {
                    self.info(out, "IPSEC-AH : Syncing seq_num - Increment seq");
                }
                self.send_advert_now(now, out);
            }
            self.announcer.contested(now, &self.router, out);
            out.push(Action::RivalHeard { priority: ours });
        }
        if self.state == State::Backup {
            self.active_address = Some(source);
        }
    }

    fn give_way(&mut self, now: Instant, advert: &Advert, out: &mut Actions) {
        self.learn_interval(advert, out);
        let learned = self.learned_interval;
        self.step_back(now, CountdownSpan::Down, out);
        self.active = Some((advert.priority, advert.interval));
        self.learned_interval = learned;
    }
}
