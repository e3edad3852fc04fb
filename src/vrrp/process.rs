//! One `vrrp_track_process`: when as many run as there should.
//!
//! keepalived.conf(5), "VRRP track processes", and keepalived 2.2.7 as watched in the host's first
//! network namespace. `fork_delay` and `terminate_delay` wait after what their names say, whether
//! it brings the quorum or takes it; a process that begins to run another program counts at once.
//! What turns back within the delay never was.

use std::time::{Duration, Instant};

use super::machine::LogLevel;
use crate::plan::track::{Matching, TrackProcess};

/// What made their number another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// One forked.
    Fork,
    /// One runs another program or has another name; or nobody knows.
    Exec,
    /// One ended.
    End,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// So many run now.
    Counted(usize, Cause),
    /// The deadline has come.
    Timeout,
    /// A new config for the process of this name, and how many run by that.
    Reconfigure(Box<TrackProcess>, usize),
}

/// What the shell has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Weigh the routers that track it anew.
    Status(bool),
    /// A line for the log, worded as keepalived words it.
    Log(LogLevel, String),
}

/// One tracked process. See the module's documentation.
#[derive(Debug)]
pub struct Process {
    plan: TrackProcess,
    count: usize,
    up: bool,
    change: Option<(Instant, Cause)>,
}

impl Process {
    /// `count`: how many run now.
    pub fn new(plan: TrackProcess, count: usize) -> Self {
        let up = has_quorum(&plan, count);
        Process { plan, count, up, change: None }
    }

    pub fn plan(&self) -> &TrackProcess {
        &self.plan
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn is_up(&self) -> bool {
        self.up
    }

    /// What waits for its delay.
    pub fn waits_for(&self) -> Option<Cause> {
        self.change.map(|(_, cause)| cause)
    }

    /// When to call with [`Event::Timeout`].
    pub fn deadline(&self) -> Option<Instant> {
        self.change.map(|(at, _)| at)
    }

    pub fn handle(&mut self, now: Instant, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Counted(count, cause) => {
                self.count = count;
                self.settle(now, self.delay(cause), cause, out);
            }
            Event::Timeout => {
                if let Some((_, cause)) = self.change.filter(|(at, _)| *at <= now) {
                    self.settle(now, Duration::ZERO, cause, out);
                }
            }
            Event::Reconfigure(plan, count) => {
                self.plan = *plan;
                self.count = count;
                self.settle(now, Duration::ZERO, Cause::Exec, out);
            }
        }
    }

    fn delay(&self, cause: Cause) -> Duration {
        match cause {
            Cause::Fork => self.plan.fork_delay,
            Cause::Exec => Duration::ZERO,
            Cause::End => self.plan.terminate_delay,
        }
    }

    fn settle(&mut self, now: Instant, delay: Duration, cause: Cause, out: &mut Vec<Action>) {
        let up = has_quorum(&self.plan, self.count);
        if up == self.up {
            self.change = None;
        } else if delay.is_zero() {
            self.change = None;
            self.up = up;
            let what = if up { "gained" } else { "lost" };
            let name = &self.plan.name;
            let line = format!("Quorum {what} for tracked process {name}");
            out.push(Action::Log(LogLevel::Info, line));
            out.push(Action::Status(up));
        } else if self.change.is_none() {
            self.change = Some((now + delay, cause));
        }
    }
}

fn has_quorum(plan: &TrackProcess, count: usize) -> bool {
    count >= plan.quorum as usize && plan.quorum_max.is_none_or(|most| count <= most as usize)
}

/// Is a process of this name and command line one of those? `arguments` is only asked for where
/// the name isn't enough.
pub fn matches(plan: &TrackProcess, name: &[u8], arguments: impl FnOnce() -> Vec<Vec<u8>>) -> bool {
    let program = plan.program.as_bytes();
    if plan.matching == Matching::Name {
        return name == program;
    }
    let arguments = arguments();
    let Some((first, given)) = arguments.split_first() else { return false };
    let wanted = || plan.parameters.iter().map(|word| word.as_bytes());
    first == program
        && match plan.matching {
            Matching::Name | Matching::Command => true,
            Matching::Exact => wanted().eq(given.iter().map(Vec::as_slice)),
            Matching::Partial => {
                given.len() >= plan.parameters.len()
                    && wanted().zip(given).all(|(wanted, given)| wanted == given)
            }
            Matching::Initial => {
                let wanted: Vec<&[u8]> = wanted().collect();
                given.join(&0).starts_with(&wanted.join(&0))
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(matching: Matching, words: &str) -> TrackProcess {
        let mut words = words.split(' ').map(str::to_owned);
        TrackProcess {
            name: "p".to_owned(),
            program: words.next().unwrap(),
            parameters: words.collect(),
            matching,
            weight: 0,
            reverse: false,
            quorum: 1,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
            span: Default::default(),
        }
    }

    /// Recorded from keepalived 2.2.7: which of its processes each command line was.
    #[test]
    fn command_lines_match_as_they_do_for_keepalived() {
        let is = |matching, words: &str, line: &str| {
            let arguments =
                || -> Vec<Vec<u8>> { line.split(' ').map(|word| word.into()).collect() };
            matches(&plan(matching, words), b"sleep", arguments)
        };
        use Matching::{Command, Exact, Initial, Name, Partial};
        for (line, exact, partial, initial) in [
            ("/bin/sleep 10", false, false, false),
            ("/bin/sleep 10 20", true, true, true),
            ("/bin/sleep 10 20 30", false, true, true),
            ("/bin/sleep 10 200", false, false, true),
            ("/bin/sleep 10 2", false, false, false),
            ("sleep 10 20", false, false, false),
        ] {
            assert_eq!(is(Exact, "/bin/sleep 10 20", line), exact, "{line}");
            assert_eq!(is(Partial, "/bin/sleep 10 20", line), partial, "{line}");
            assert_eq!(is(Initial, "/bin/sleep 10 20", line), initial, "{line}");
            let path = line.starts_with('/');
            for matching in [Command, Initial, Partial] {
                assert_eq!(is(matching, "/bin/sleep", line), path, "{line}");
            }
            assert!(is(Name, "sleep", line) && !is(Name, "/bin/sleep", line), "{line}");
        }
    }

    fn told(process: &mut Process, now: Instant, event: Event) -> Vec<bool> {
        let mut out = Vec::new();
        process.handle(now, event, &mut out);
        let status = |action: &Action| match action {
            Action::Status(up) => Some(*up),
            Action::Log(..) => None,
        };
        out.iter().filter_map(status).collect()
    }

    /// Recorded: `quorum_max 1`, `fork_delay 1`, `terminate_delay 0.4`; and 2.2.7's times with it.
    #[test]
    fn a_delay_belongs_to_what_happened_and_not_to_the_direction() {
        let mut plan = plan(Matching::Name, "perl");
        plan.quorum_max = Some(1);
        plan.fork_delay = Duration::from_secs(1);
        plan.terminate_delay = Duration::from_millis(400);
        let mut process = Process::new(plan, 0);
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        assert_eq!(told(&mut process, at(0), Event::Counted(1, Cause::Exec)), [true]);
        assert!(told(&mut process, at(1000), Event::Counted(2, Cause::Fork)).is_empty());
        assert_eq!(process.deadline(), Some(at(2000)));
        assert_eq!(told(&mut process, at(2000), Event::Timeout), [false]);
        assert!(told(&mut process, at(3000), Event::Counted(1, Cause::End)).is_empty());
        assert_eq!(told(&mut process, at(3400), Event::Timeout), [true]);
        // A fork whose child is gone before it counts.
        assert!(told(&mut process, at(4000), Event::Counted(2, Cause::Fork)).is_empty());
        assert!(told(&mut process, at(4500), Event::Counted(1, Cause::End)).is_empty());
        assert_eq!(process.deadline(), None);
        assert!(told(&mut process, at(5000), Event::Timeout).is_empty());
        assert!(told(&mut process, at(6000), Event::Counted(0, Cause::End)).is_empty());
        assert!(told(&mut process, at(6100), Event::Counted(1, Cause::Exec)).is_empty());
        assert!(told(&mut process, at(7000), Event::Timeout).is_empty());
        assert!(process.is_up());
    }
}
