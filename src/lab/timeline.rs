//! What a person reads while the rehearsal runs.

use std::fmt::Write as _;
use std::time::Duration;

use super::record::Event;
use super::topology::{Cluster, Daemon};
use super::verdict::{Report, seconds};

/// Writes lines for people; silent where the output is for programs.
#[derive(Debug)]
pub(super) struct Timeline {
    pub silent: bool,
    pub colour: bool,
    /// Names of the balancers.
    pub nodes: Vec<String>,
}

/// ANSI colours (SGR parameters).
#[derive(Clone, Copy)]
enum Ink {
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
    Node(usize),
}

impl Timeline {
    pub(super) fn heading(&self, cluster: &Cluster, place: &str, remarks: &[String]) {
        let mut text = String::new();
        let _ = writeln!(text, "{}", self.paint(Ink::Bold, &format!("Rehearsal of {place}")));
        if !cluster.about.is_empty() {
            let _ = writeln!(text, "  {}", cluster.about);
        }
        for (at, host) in cluster.balancers.iter().enumerate() {
            let runs = match host.daemon {
                Daemon::Evenkeel => "evenkeel as keepalived and nginx",
                Daemon::EvenkeelRun => "evenkeel run",
                Daemon::Real => "this host's own keepalived and nginx",
            };
            let name = self.paint(Ink::Node(at), &format!("{:<8}", host.name));
            let address = format!("{} on {}", host.address, host.interface);
            let files = format!("{}, {}", host.keepalived, host.nginx);
            let _ = writeln!(text, "  {name} {address:<26} {runs}: {files}");
        }
        for web in &cluster.webs {
            let _ = writeln!(text, "  {:<8} {}:{} web server", web.name, web.address, web.port);
        }
        let every = cluster.client.every.as_millis();
        let client = format!("asks {} every {every} ms", cluster.client.asks);
        let _ = writeln!(text, "  {:<8} {} {client}", "client", cluster.client.address);
        for remark in remarks {
            let _ = writeln!(text, "  {}", self.paint(Ink::Dim, remark));
        }
        self.say(&text);
    }

    pub(super) fn scenario(&self, name: &str) {
        self.say(&self.paint(Ink::Bold, name));
    }

    pub(super) fn moment(&self, at: Duration, event: &Event, address: &str) {
        let node = |node: &usize| self.paint(Ink::Node(*node), &self.nodes[*node]);
        let through = |via: &Option<usize>| match via {
            Some(via) => format!(" through {}", node(via)),
            None => String::new(),
        };
        let line = match event {
            Event::Did { text } => text.clone(),
            Event::Takes { node: who } => format!("{} holds {address}", node(who)),
            Event::LetsGo { node: who } => format!("{} lets {address} go", node(who)),
            Event::Unanswered => self.paint(Ink::Warn, "client: no answer from here on"),
            Event::Answered { via, after_ms: 0 } => format!("client: first answer{}", through(via)),
            Event::Answered { via, after_ms } => {
                let gap = seconds(Duration::from_millis(*after_ms));
                format!("client: answered again{}, after {gap}", through(via))
            }
            Event::Moved { via } => format!("client: answers come{} now", through(&Some(*via))),
        };
        let at = self.paint(Ink::Dim, &format!("{:>8}", format!("+{}", seconds(at))));
        self.say(&format!("  {at}  {line}"));
    }

    pub(super) fn report(&self, report: &Report) {
        let holders = match report.holders.as_slice() {
            [] => "nobody holds the address".to_owned(),
            [one] => format!("{one} holds the address"),
            more => format!("{} hold the address", more.join(" and ")),
        };
        let time = |millis: u64| seconds(Duration::from_millis(millis));
        let answers: Vec<String> =
            report.answers.iter().map(|(web, count)| format!("{web} {count}")).collect();
        let line = format!(
            "{holders}; longest gap {}, two holders {}; answers: {}",
            time(report.gap_ms),
            time(report.overlap_ms),
            answers.join(", ")
        );
        let mark = match report.passed {
            true => self.paint(Ink::Good, "as expected"),
            false => self.paint(Ink::Bad, "NOT AS EXPECTED"),
        };
        self.say(&format!("  {mark}: {line}"));
        for problem in &report.problems {
            self.say(&format!("    {}", self.paint(Ink::Bad, problem)));
        }
        for note in &report.notes {
            self.say(&format!("    {}", self.paint(Ink::Warn, note)));
        }
        self.say("");
    }

    /// A table of all scenarios, and the last word.
    pub(super) fn verdict(&self, reports: &[Report], webs: &str, took: Duration) {
        let widest = reports.iter().map(|report| report.name.len()).max().unwrap_or(0).max(8);
        let head = format!(
            "{:<widest$}  {:>12}  {:>12}  {:>12}  holder",
            "scenario", "longest gap", "two holders", "no holder"
        );
        self.say(&self.paint(Ink::Bold, &head));
        for report in reports {
            let time = |millis: u64| seconds(Duration::from_millis(millis));
            let mark = match report.passed {
                true => self.paint(Ink::Good, "ok"),
                false => self.paint(Ink::Bad, "NOT AS EXPECTED"),
            };
            self.say(&format!(
                "{:<widest$}  {:>12}  {:>12}  {:>12}  {:<10} {mark}",
                report.name,
                time(report.gap_ms),
                time(report.overlap_ms),
                time(report.nobody_ms),
                if report.holders.is_empty() { "-".to_owned() } else { report.holders.join("+") },
            ));
        }
        self.say("");
        let failed = reports.iter().filter(|report| !report.passed).count();
        let took = format!("{} scenarios in {:.0} s", reports.len(), took.as_secs_f64());
        if failed == 0 {
            let verdict = self.paint(Ink::Good, "Verdict: as expected");
            self.say(&format!("{verdict}. {took}; answers in all: {webs}."));
        } else {
            let verdict = self.paint(Ink::Bad, "Verdict: NOT as expected");
            self.say(&format!("{verdict} in {failed} of {took}; answers in all: {webs}."));
        }
    }

    pub(super) fn say(&self, text: &str) {
        if !self.silent {
            println!("{text}");
        }
    }

    fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Good => "1;32",
            Ink::Bad => "1;31",
            Ink::Warn => "33",
            Ink::Node(at) => ["36", "35", "34", "32"][at % 4],
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
