//! How each [`Act`] is done to the cluster.

use std::time::Instant;

use super::host;
use super::init::{Answer, Order};
use super::killall::Choice;
use super::record::{Event, Observation, Seen};
use super::scenario::Act;
use super::stage::Stage;
use super::{Doing, Failure, Outcome};

impl Stage {
    pub(super) fn act(&mut self, act: Act, holder: Option<usize>) -> Outcome<()> {
        // With no holder, or two, there is still a node that the file names first.
        let target = holder.unwrap_or(0);
        let healed = self.broken.unwrap_or(0);
        match act {
            Act::StartAll => {
                for node in 0..self.nodes.len() {
                    self.start(node)?;
                }
            }
            Act::StartBoth => self.start(healed)?,
            Act::StopDaemon => {
                let unit = self.play.cluster.balancers[target].daemon.vrrp_unit();
                self.systemctl(target, &["stop", unit])?;
            }
            Act::KillProxy => self.kill(target, &["nginx"], Choice::All)?,
            Act::KillDaemon => {
                let daemon = self.play.cluster.balancers[target].daemon;
                self.kill(target, daemon.vrrp_processes(), Choice::All)?;
            }
            Act::KillVrrpProcess => self.kill(target, &["keepalived"], Choice::Watched)?,
            Act::Unplug => {
                self.did(format!("{}: cable pulled out", self.nodes[target].name))?;
                self.reach(target, false)?;
                self.switch.unplug(&self.nodes[target].port)?;
            }
            Act::Plug => {
                self.did(format!("{}: cable plugged in", self.nodes[healed].name))?;
                self.switch.plug(&self.nodes[healed].port)?;
                self.reach(healed, true)?;
            }
            Act::FilterVrrp => self.filter(true)?,
            Act::UnfilterVrrp => self.filter(false)?,
        }
        self.broken = match act {
            Act::StartAll | Act::StartBoth | Act::Plug | Act::UnfilterVrrp => None,
            _ => Some(target),
        };
        Ok(())
    }

    fn start(&mut self, node: usize) -> Outcome<()> {
        let units = self.play.cluster.balancers[node].daemon.units();
        let words: Vec<&str> = std::iter::once("start").chain(units.iter().copied()).collect();
        self.systemctl(node, &words)
    }

    fn systemctl(&mut self, node: usize, words: &[&str]) -> Outcome<()> {
        let command: Vec<&str> =
            std::iter::once("systemctl").chain(words.iter().copied()).collect();
        self.did(format!("{}: {}", self.nodes[node].name, command.join(" ")))?;
        let order = Order::Run(command.iter().map(|word| (*word).to_owned()).collect());
        if let Answer::Ended { status, output } = self.nodes[node].order(&order)?
            && status != 0
        {
            let (name, said) = (&self.nodes[node].name, output.trim());
            let problem = format!("{name}: {} failed ({status}): {said}", command.join(" "));
            self.now.problems.push(problem);
        }
        Ok(())
    }

    fn kill(&mut self, node: usize, names: &[&str], choice: Choice) -> Outcome<()> {
        let at = Instant::now();
        let order =
            Order::Kill { names: names.iter().map(|name| (*name).to_owned()).collect(), choice };
        let answer = self.nodes[node].order(&order)?;
        let name = &self.nodes[node].name;
        let Answer::Killed(count) = answer else {
            return Err(Failure(format!("{name} answered something else: {answer:?}")));
        };
        let mut what = names.join(" and ");
        if choice == Choice::Watched {
            what.push_str(" child");
        }
        let processes = if count == 1 { "process" } else { "processes" };
        let text = format!("{name}: kill -9 of {count} {what} {processes}");
        if count == 0 {
            self.now.problems.push(format!("{name}: no {what} process was there to kill"));
        }
        self.now.pending.push((at, Event::Did { text }));
        Ok(())
    }

    /// With `nft` on every balancer, as an administrator's firewall would; else at the switch.
    fn filter(&mut self, on: bool) -> Outcome<()> {
        const RULES: &str = "add table inet rehearsal; \
            add chain inet rehearsal input { type filter hook input priority 0; }; \
            add rule inet rehearsal input ip protocol 112 counter drop";
        let by_nft = host::has_nft();
        for node in 0..self.nodes.len() {
            let name = self.nodes[node].name.clone();
            if by_nft {
                let rules = if on { RULES } else { "delete table inet rehearsal" };
                let text = if on { "drops VRRP (nft, protocol 112)" } else { "lets VRRP in again" };
                self.did(format!("{name}: firewall {text}"))?;
                let order = Order::Run(vec!["nft".into(), rules.into()]);
                if let Answer::Ended { status: 1.., output } = self.nodes[node].order(&order)? {
                    return Err(Failure(format!("nft on {name}: {}", output.trim())));
                }
            } else {
                let text = if on { "holds multicast back" } else { "passes multicast again" };
                self.did(format!("switch {text} from {name} (there is no nft)"))?;
                self.switch.pass_multicast(&self.nodes[node].port, !on)?;
            }
        }
        Ok(())
    }

    fn reach(&mut self, node: usize, reachable: bool) -> Outcome<()> {
        let seen = Seen::Reachable { node, reachable };
        self.see.send(Observation { at: Instant::now(), seen }).doing("nobody listens")
    }

    fn did(&mut self, text: String) -> Outcome<()> {
        self.now.pending.push((Instant::now(), Event::Did { text }));
        self.drain()
    }
}
