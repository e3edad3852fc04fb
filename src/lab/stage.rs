//! The stage: PID 1 of the rehearsal. Builds the cluster, plays the scenarios, says what came of
//! them.
//!
//! It holds nothing outside its own namespaces, so the kernel cleans up after it however it ends.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::client::Faces;
use super::host::{self, Node};
use super::init::{Answer, Order};
use super::record::{Event, Observation, Record, Seen};
use super::scenario::{self, Act, Holder, Scenario};
use super::switch::Switch;
use super::timeline::Timeline;
use super::topology::Cluster;
use super::verdict::{self, Holders, Moment, Report};
use super::{Doing, Failure, Outcome, systemctl};
use crate::kernel::namespace;

/// All that the stage is told, as one JSON line on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Play {
    /// What the user called the cluster.
    pub place: String,
    pub cluster: Cluster,
    pub scenarios: Vec<Scenario>,
    pub json: bool,
    pub colour: bool,
    pub remarks: Vec<String>,
}

/// The state that was waited for has to stay for so long.
const SETTLE: Duration = Duration::from_millis(1500);

/// Events are told this late, so that those of several hosts come in order.
const HOLD_BACK: Duration = Duration::from_millis(300);

/// How often the stage looks up when nothing happens.
const TICK: Duration = Duration::from_millis(20);

pub(super) fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            eprintln!("evenkeel: the rehearsal broke off: {failure}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<bool> {
    namespace::die_with_parent().doing("cannot tie the stage to its parent")?;
    let mut told = String::new();
    std::io::stdin().lock().read_line(&mut told).doing("cannot read the play")?;
    let play: Play = serde_json::from_str(&told).doing("cannot read the play")?;
    // The parent may have died before the kernel was told to watch it: its end of the pipe says
    // so too.
    let orphaned = || {
        let _ = std::io::stdin().lock().read(&mut [0]);
        std::process::exit(2);
    };
    std::thread::Builder::new().spawn(orphaned).doing("cannot make a thread")?;
    let mut stage = Stage::build(play)?;
    stage.play()
}

pub(super) struct Stage {
    pub play: Play,
    pub switch: Switch,
    pub nodes: Vec<Node>,
    pub seen: Receiver<Observation>,
    pub see: Sender<Observation>,
    pub record: Record,
    pub timeline: Timeline,
    /// Who held the address first of all.
    pub home: Option<usize>,
    /// Where something was broken last.
    pub broken: Option<usize>,
    /// The scenario being played.
    pub now: Current,
}

#[derive(Default)]
pub(super) struct Current {
    pub from: Option<Instant>,
    /// Not yet told: something earlier may still come in.
    pub pending: Vec<(Instant, Event)>,
    pub moments: Vec<Moment>,
    /// What couldn't be done.
    pub problems: Vec<String>,
}

impl Stage {
    fn build(play: Play) -> Outcome<Stage> {
        let nodes: Vec<String> =
            play.cluster.balancers.iter().map(|host| host.name.clone()).collect();
        let timeline = Timeline { silent: play.json, colour: play.colour, nodes };
        timeline.heading(&play.cluster, &play.place, &play.remarks);
        let switch = Switch::build()?;
        let (see, seen) = channel();
        let cluster = &play.cluster;
        for (index, web) in cluster.webs.iter().enumerate() {
            host::web_server(web, index, cluster.prefix)?;
        }
        let count = cluster.balancers.len();
        let nodes = (0..count).map(|index| host::balancer(cluster, index, see.clone()));
        let nodes = nodes.collect::<Outcome<Vec<Node>>>()?;
        let faces = Faces {
            webs: cluster.webs.iter().map(|web| web.name.clone()).collect(),
            balancers: cluster.balancers.iter().map(|host| host.address).collect(),
        };
        host::client(&cluster.client, cluster.prefix, faces, see.clone())?;
        let record = Record::new(count, play.cluster.client.every);
        let now = Current::default();
        let (home, broken) = (None, None);
        Ok(Stage { play, switch, nodes, seen, see, record, timeline, home, broken, now })
    }

    fn play(&mut self) -> Outcome<bool> {
        let began = Instant::now();
        let scenarios = std::mem::take(&mut self.play.scenarios);
        let mut reports = Vec::new();
        for scenario in &scenarios {
            let report = self.perform(scenario)?;
            let start_failed = scenario.act == Act::StartAll && !report.passed;
            reports.push(report);
            if start_failed {
                break;
            }
        }
        let passed = reports.iter().all(|report| report.passed);
        if self.play.json {
            self.print_json(&reports, passed, began.elapsed());
        } else {
            let answers: Vec<String> =
                total(&reports).iter().map(|(web, count)| format!("{web} {count}")).collect();
            self.timeline.verdict(&reports, &answers.join(", "), began.elapsed());
        }
        Ok(passed)
    }

    fn perform(&mut self, scenario: &Scenario) -> Outcome<Report> {
        self.drain()?;
        self.timeline.scenario(&scenario.name);
        let before = match self.record.holders().as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        let from = Instant::now();
        let pending = std::mem::take(&mut self.now.pending);
        self.now = Current { from: Some(from), pending, ..Current::default() };
        self.act(scenario.act, before)?;
        self.await_holder(scenario, from, before)?;
        let to = Instant::now();
        self.tell(to);
        let after = self.record.holders();
        if scenario.act == Act::StartAll {
            self.home = after.first().copied();
        }
        let cut_off = self.record.holders_cut_off();
        let holders = Holders { home: self.home, before, after, cut_off };
        let names: Vec<String> = self.nodes.iter().map(|node| node.name.clone()).collect();
        let webs = &self.play.cluster.webs;
        let window = (from, to);
        let figures = verdict::measure(&self.record.observations, window, names.len(), webs.len());
        let (mut problems, notes) = verdict::judge(scenario, &figures, &holders, &names, webs);
        problems.splice(0..0, std::mem::take(&mut self.now.problems));
        let answers = webs.iter().map(|web| web.name.clone()).zip(figures.answers.iter().copied());
        let report = Report {
            name: scenario.name.clone(),
            timeline: std::mem::take(&mut self.now.moments),
            holders: holders.after.iter().map(|node| names[*node].clone()).collect(),
            gap_ms: figures.gap.as_millis() as u64,
            nobody_ms: figures.nobody.as_millis() as u64,
            overlap_ms: figures.overlap.as_millis() as u64,
            answers: answers.collect(),
            failed: figures.failed,
            passed: problems.is_empty(),
            problems,
            notes,
        };
        self.timeline.report(&report);
        if !report.passed {
            self.show_logs()?;
        }
        Ok(report)
    }

    /// Waits until the holder is as expected and the client is served, and has been for a while;
    /// or until patience ends.
    fn await_holder(
        &mut self,
        scenario: &Scenario,
        from: Instant,
        before: Option<usize>,
    ) -> Outcome<()> {
        let expected = scenario.expect.holder;
        let give_up = Instant::now() + scenario.expect.patience;
        // Known trouble takes a while to show: wait until all hold the address, or long enough.
        let shown = from + Duration::from_secs(6);
        let mut good_since = None;
        loop {
            self.wait(TICK)?;
            let now = Instant::now();
            let holders = self.record.holders();
            let mut good = scenario::fits(expected, &holders, before, self.home)
                && self.record.is_answered(now);
            if expected == Holder::All {
                good &= holders.len() == self.nodes.len() || now > shown;
            }
            if !good {
                good_since = None;
                if now > give_up {
                    return Ok(());
                }
                continue;
            }
            let since = *good_since.get_or_insert(now);
            if now - since >= SETTLE {
                return Ok(());
            }
        }
    }

    pub(super) fn drain(&mut self) -> Outcome<()> {
        self.wait(Duration::ZERO)
    }

    /// Takes in what is seen until `time` has passed.
    fn wait(&mut self, time: Duration) -> Outcome<()> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.seen.recv_timeout(left) {
                Ok(Observation { seen: Seen::Broken(why), .. }) => return Err(Failure(why)),
                Ok(seen) => {
                    let events = self.record.take(seen);
                    self.now.pending.extend(events);
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure("nobody watches any more".into()));
                }
            }
        }
        let now = Instant::now();
        self.now.pending.extend(self.record.tick(now));
        self.tell(now.checked_sub(HOLD_BACK).unwrap_or(now));
        Ok(())
    }

    /// Tells what happened up to `until`, in the order of time: the hosts' threads report each in
    /// its own time.
    fn tell(&mut self, until: Instant) {
        let Some(from) = self.now.from else { return };
        // Cause before effect within the hundredth of a second that people are shown.
        self.now.pending.sort_by_key(|(at, event)| {
            let hundredth = at.saturating_duration_since(from).as_millis() / 10;
            (hundredth, !matches!(event, Event::Did { .. }), *at)
        });
        let ripe = self.now.pending.partition_point(|(at, _)| *at <= until);
        for (at, event) in self.now.pending.drain(..ripe) {
            let since = at.saturating_duration_since(from);
            self.timeline.moment(since, &event, &self.play.cluster.virtual_address.to_string());
            let node = match &event {
                Event::Takes { node } | Event::LetsGo { node } => Some(*node),
                Event::Answered { via, .. } => *via,
                Event::Moved { via } => Some(*via),
                Event::Did { .. } | Event::Unanswered => None,
            };
            let node = node.map(|node| self.timeline.nodes[node].clone());
            self.now.moments.push(Moment { at_ms: since.as_millis() as u64, event, node });
        }
    }

    /// The daemons' last words, to standard error: something went wrong.
    fn show_logs(&mut self) -> Outcome<()> {
        for node in &mut self.nodes {
            for (unit, path) in systemctl::logs() {
                let order = Order::Tail { path: path.into(), lines: 12 };
                if let Answer::Text(text) = node.order(&order)?
                    && !text.is_empty()
                {
                    eprintln!("--- {}: {unit}, end of {path}\n{text}", node.name);
                }
            }
        }
        eprintln!();
        Ok(())
    }

    fn print_json(&self, reports: &[Report], passed: bool, took: Duration) {
        let cluster = &self.play.cluster;
        let balancers = cluster.balancers.iter().map(|host| {
            serde_json::json!({
                "name": host.name, "address": host.address, "interface": host.interface,
                "daemon": host.daemon,
            })
        });
        let webs = cluster.webs.iter().map(
            |web| serde_json::json!({ "name": web.name, "address": web.address, "port": web.port }),
        );
        let document = serde_json::json!({
            "cluster": self.play.place,
            "virtual_address": cluster.virtual_address,
            "balancers": balancers.collect::<Vec<_>>(),
            "web_servers": webs.collect::<Vec<_>>(),
            "remarks": self.play.remarks,
            "scenarios": reports,
            "answers": total(reports),
            "took_ms": took.as_millis() as u64,
            "passed": passed,
        });
        println!("{document:#}");
    }
}

/// Answers by web server over all scenarios.
fn total(reports: &[Report]) -> BTreeMap<String, usize> {
    let mut total = BTreeMap::new();
    for (web, count) in reports.iter().flat_map(|report| &report.answers) {
        *total.entry(web.clone()).or_default() += count;
    }
    total
}
