//! Tells of changes: scripts, FIFOs, mail.
//!
//! Nothing in here waits: scripts and mail are the [`probe`](crate::runtime::probe)'s, and a line
//! that a FIFO doesn't take is lost, which is counted and logged.

use std::io;

use super::role::Role;
use crate::kernel::fifo;
use crate::kernel::local_time;
use crate::plan::VrrpPlan;
use crate::plan::telling::{FifoWithScript, InstanceTelling, Mail, Telling};
use crate::plan::track::Check;
use crate::plan::vrrp::{Notify, NotifyScript};
use crate::runtime::probe::mail::Letter;
use crate::runtime::probe::{CheckKey, Finding, Probe};
use crate::status::notice::{Kind, News, Notice};
use crate::vrrp::machine::State;

/// What the probe knows readers of FIFOs by: far from what scripts get.
const READERS: CheckKey = 1 << 63;

#[derive(Debug, Default)]
pub(super) struct Herald {
    fifos: Vec<Fifo>,
    mail: Option<Mail>,
    router_id: String,
    states_on_reload: bool,
    /// How many readers were started so far.
    readers: CheckKey,
}

#[derive(Debug)]
struct Fifo {
    pipe: fifo::Fifo,
    reader: Option<CheckKey>,
    lost: u64,
}

impl Fifo {
    fn write(&mut self, line: &str) {
        let path = self.pipe.path().display();
        match self.pipe.write(line.as_bytes()) {
            Ok(()) if self.lost == 0 => {}
            Ok(()) => {
                tracing::warn!("FIFO {path} is read again; {} lines were lost", self.lost);
                self.lost = 0;
            }
            Err(error) => {
                self.lost += 1;
                if self.lost == 1 {
                    let why = match error.kind() {
                        io::ErrorKind::WouldBlock => "it is full, nobody reads it".to_owned(),
                        _ => error.to_string(),
                    };
                    tracing::warn!("FIFO {path}: lines are lost: {why}");
                }
            }
        }
    }
}

impl Herald {
    pub(super) fn start(plan: &VrrpPlan, probe: &Probe) -> Herald {
        let mut herald = Herald::default();
        herald.open(plan, probe);
        herald
    }

    /// By a new plan. FIFOs are made anew and their readers started again, as keepalived does.
    pub(super) fn reload(&mut self, plan: &VrrpPlan, probe: &Probe) {
        self.dismiss(probe);
        // What is removed last mustn't be what was made first.
        self.fifos.clear();
        self.open(plan, probe);
    }

    fn open(&mut self, plan: &VrrpPlan, probe: &Probe) {
        let Telling { fifo, vrrp_fifo, mail, states_on_reload, .. } = &plan.telling;
        self.mail.clone_from(mail);
        self.states_on_reload = *states_on_reload;
        let host = || nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        self.router_id = plan.router_id.clone().unwrap_or_else(host);
        self.open_fifo("", fifo, probe);
        self.open_fifo("vrrp_", vrrp_fifo, probe);
    }

    fn open_fifo(&mut self, prefix: &str, plan: &FifoWithScript, probe: &Probe) {
        let Some(fifo) = &plan.fifo else { return };
        let owner = fifo.owner.as_ref().map(|owner| (owner.uid, owner.gid));
        let pipe = match fifo::Fifo::open(&fifo.path, owner) {
            Ok(pipe) => pipe,
            Err(error) => {
                let path = fifo.path.display();
                tracing::error!("Unable to create {prefix}notify fifo {path} ({error})");
                return;
            }
        };
        let reader = plan.script.as_ref().map(|NotifyScript { argv, user, .. }| {
            self.readers += 1;
            let key = READERS + self.readers;
            let mut argv = argv.clone();
            argv.push(fifo.path.to_string_lossy().into_owned());
            probe.run(key, &Check::Command { argv }, user.as_ref());
            key
        });
        self.fifos.push(Fifo { pipe, reader, lost: 0 });
    }

    /// Tells the readers to end.
    pub(super) fn dismiss(&mut self, probe: &Probe) {
        for fifo in &mut self.fifos {
            if let Some(reader) = fifo.reader.take() {
                probe.dismiss(reader);
            }
        }
    }

    /// Is it about a reader? It isn't started again before the next reload, as with keepalived.
    pub(super) fn hear(&mut self, finding: &Finding) -> bool {
        let (key, message) = match finding {
            Finding::Ended { check, .. } => (*check, "terminated".to_owned()),
            Finding::NotStarted { check, message } => (*check, format!("not started: {message}")),
            _ => return false,
        };
        if key < READERS {
            return false;
        }
        let ours = self.fifos.iter_mut().find(|fifo| fifo.reader == Some(key));
        if let Some(fifo) = ours {
            fifo.reader = None;
            tracing::info!("vrrp notify fifo script {message}");
        }
        true
    }

    pub(super) fn write(&mut self, notice: &Notice) {
        if self.fifos.is_empty() {
            return;
        }
        let line = notice.line();
        for fifo in &mut self.fifos {
            fifo.write(&line);
        }
    }

    fn mail(&self, notice: &Notice, probe: &Probe) {
        let Some(mail) = &self.mail else { return };
        let Some(content) = notice.mail(mail, &self.router_id, &local_time::rfc5322()) else {
            return;
        };
        probe.mail(Letter {
            server: mail.server,
            helo: mail.helo.clone(),
            from: mail.from.clone(),
            to: mail.to.clone(),
            content,
            timeout: mail.timeout,
        });
    }

    /// Tells everybody who is to hear of it. The order: the script for this change, the one for
    /// all, FIFOs, mail.
    pub(super) fn tell(
        &mut self,
        notice: &Notice,
        notify: &Notify,
        telling: &InstanceTelling,
        probe: &Probe,
    ) {
        let removed = telling.deleted.as_ref().and_then(|deleted| deleted.script.as_ref());
        let script = match notice.news {
            News::Master => notify.master.as_ref(),
            News::Backup => notify.backup.as_ref(),
            News::Fault => notify.fault.as_ref(),
            News::Stop => notify.stop.as_ref(),
            News::Deleted => removed,
            News::MasterRxLowerPriority => telling.lower_priority_heard.as_ref(),
            News::MasterPriority | News::BackupPriority => None,
        };
        run(script, None, probe);
        match notice.news {
            News::MasterRxLowerPriority => {}
            News::MasterPriority | News::BackupPriority if !telling.priority_changes => return,
            News::MasterPriority | News::BackupPriority => {}
            _ => run(notify.any.as_ref(), Some(notice), probe),
        }
        self.write(notice);
        if telling.mail {
            self.mail(notice, probe);
        }
    }
}

/// Starts a script; with a notice, its words are added.
fn run(script: Option<&NotifyScript>, notice: Option<&Notice>, probe: &Probe) {
    let Some(script) = script else { return };
    let mut argv = script.argv.clone();
    argv.extend(notice.into_iter().flat_map(Notice::arguments));
    probe.notify(argv, script.user.as_ref());
}

pub(super) fn news(state: State) -> News {
    match state {
        State::Active => News::Master,
        State::Backup => News::Backup,
        State::Fault => News::Fault,
        State::Initialize => News::Stop,
    }
}

impl Role {
    /// Tells of a router's change of state.
    pub(super) fn proclaim(&mut self, at: usize, to: State, priority: u8) {
        let router = &self.routers[at];
        let config = router.machine.router();
        let deleted = config.telling.deleted.is_some();
        let mut notice =
            Notice { kind: Kind::Instance, name: config.name.clone(), news: news(to), priority };
        if to == State::Initialize && router.removed {
            // keepalived's default: without `notify_deleted` a fault is told, by `notify` only.
            notice.news = if deleted { News::Deleted } else { News::Fault };
            self.bus.tell(config, notice.news);
            self.trap(at, notice.news);
            if !deleted {
                let notify = Notify { any: config.notify.any.clone(), ..Notify::default() };
                self.herald.tell(&notice, &notify, &config.telling, &self.probe);
                return;
            }
        } else {
            self.bus.tell(config, notice.news);
            self.trap(at, notice.news);
        }
        self.herald.tell(&notice, &config.notify, &config.telling, &self.probe);
    }

    /// Tells of another effective priority, or of a lower one that was heard.
    pub(super) fn remark(&mut self, at: usize, news: News) {
        let machine = &self.routers[at].machine;
        let config = machine.router();
        let (name, priority) = (config.name.clone(), machine.priority());
        let notice = Notice { kind: Kind::Instance, name, news, priority };
        self.herald.tell(&notice, &config.notify, &config.telling, &self.probe);
    }

    /// `fifo_write_vrrp_states_on_reload`: all states, after a reload.
    pub(super) fn write_states(&mut self) {
        if !self.herald.states_on_reload {
            return;
        }
        for router in &self.routers {
            let machine = &router.machine;
            if machine.state() == State::Initialize {
                continue;
            }
            self.herald.write(&Notice {
                kind: Kind::Instance,
                name: router.name().to_owned(),
                news: news(machine.state()),
                priority: machine.priority(),
            });
        }
        for group in &self.groups {
            if group.machine.state() != State::Initialize {
                self.herald.write(&super::groups::notice(&group.config, group.machine.state()));
            }
        }
    }
}
