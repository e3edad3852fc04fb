//! Whom is told: FIFOs, mail, scripts, dump files.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use zbus::names::WellKnownName;

use super::super::config;
use super::super::config::telling as said;
use super::Lowering;
use super::script::nobody;
use crate::plan::snmp::{Master, Snmp};
use crate::plan::telling::{
    Dbus, Deleted, Dumps, Fifo, FifoWithScript, InstanceTelling, Mail, Telling, TimedScript,
};
use crate::plan::vrrp::Notify;
use crate::text::Diagnostic;

/// `dbus_service_name`
const DBUS_NAME: &str = "org.keepalived.Vrrp1";
/// `smtp_connect_timeout`
pub(super) const SMTP_TIMEOUT: Duration = Duration::from_secs(30);
/// `startup_script_timeout` and `shutdown_script_timeout`
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);

impl Lowering<'_> {
    pub(super) fn telling(&mut self) -> Telling {
        let globals = &self.config.globals.telling;
        // Nothing can be written to it, but what is wrong with it is said.
        self.fifo("lvs_notify_fifo", &globals.lvs_fifo);
        let path =
            |path: &Option<config::At<String>>| path.as_ref().map(|at| at.value.clone().into());
        let mut telling = Telling {
            fifo: self.fifo("notify_fifo", &globals.fifo),
            vrrp_fifo: self.fifo("vrrp_notify_fifo", &globals.vrrp_fifo),
            states_on_reload: globals.states_on_reload,
            mail: self.mail(globals),
            startup: self.timed("startup", &globals.startup),
            shutdown: self.timed("shutdown", &globals.shutdown),
            dumps: Dumps {
                data: path(&globals.state_file),
                stats: path(&globals.stats_file),
                json: path(&globals.json_file),
                second_json: globals.second_json,
                use_instance: globals.data_use_instance,
            },
            dbus: self.dbus(globals),
            snmp: self.snmp(),
            definitions: Default::default(),
        };
        telling.definitions = self.definitions(&telling);
        telling
    }

    fn fifo(&mut self, keyword: &str, said: &said::FifoWithScript) -> FifoWithScript {
        let script = format!("{keyword}_script");
        let script = said
            .script
            .as_ref()
            .and_then(|command| self.scripts.fifo_script(&script, command, &mut self.diagnostics));
        let fifo = said.fifo.as_ref().filter(|fifo| !fifo.path.value.is_empty());
        let Some(said::Fifo { path, owner }) = fifo else {
            return FifoWithScript { fifo: None, script };
        };
        let owner = match owner {
            None => self.scripts.default_user().cloned(),
            Some(user) => match self.scripts.resolve(user) {
                Some(user) => Some(user),
                None => {
                    let message =
                        format!("Invalid user/group for {keyword} {} - ignoring", path.value);
                    let diagnostic = Diagnostic::warning("keepalived/user", message);
                    self.diagnostics.push(diagnostic.label(user.span, nobody(user)));
                    return FifoWithScript { fifo: None, script };
                }
            },
        };
        FifoWithScript { fifo: Some(Fifo { path: PathBuf::from(&path.value), owner }), script }
    }

    /// Without a server or anybody to write to there is no mail.
    fn mail(&mut self, said: &said::GlobalTelling) -> Option<Mail> {
        let servers = said.servers.iter().filter_map(|server| self.smtp_server(server));
        let server = servers.last()?;
        let text = |at: &Option<config::At<String>>| at.as_ref().map(|at| at.value.clone());
        let host = self.host.hostname();
        let mail = Mail {
            to: said.emails.iter().map(|at| at.value.clone()).collect(),
            from: text(&said.from).unwrap_or_else(|| format!("{}@{host}", self.host.own_name())),
            server,
            helo: text(&said.helo).unwrap_or(host),
            timeout: said.timeout.unwrap_or(SMTP_TIMEOUT),
            faults: !said.no_email_faults,
        };
        (!mail.to.is_empty()).then_some(mail)
    }

    /// A name that no bus gives away means that there is nothing on the bus, as with keepalived.
    fn dbus(&mut self, said: &said::GlobalTelling) -> Option<Dbus> {
        if !said.dbus {
            return None;
        }
        let Some(name) = &said.dbus_name else { return Some(Dbus { name: DBUS_NAME.to_owned() }) };
        if WellKnownName::try_from(name.value.as_str()).is_err() {
            let message = format!("dbus_service_name {} is no name that a bus knows", name.value);
            let help = "write something like org.example.keepalived; without a name on the bus \
                        there is no D-Bus";
            let diagnostic = Diagnostic::warning("keepalived/value", message);
            self.diagnostics.push(diagnostic.at(name.span).help(help));
            return None;
        }
        Some(Dbus { name: name.value.clone() })
    }

    fn snmp(&mut self) -> Snmp {
        let said = &self.config.globals.telling;
        let socket = self.config.globals.snmp_socket.as_ref();
        let snmp = Snmp {
            vrrp: said.snmp_vrrp,
            checker: said.snmp_checker,
            rfc2: said.snmp_rfc2,
            rfc3: said.snmp_rfc3,
            traps: said.traps,
            socket: socket.map(|at| at.value.clone()),
        };
        if let Some(at) = socket
            && let Err(why) = Master::parse(&at.value)
        {
            let message = format!("no agent can be reached at snmp_socket {}: {why}", at.value);
            let diagnostic = Diagnostic::warning("keepalived/value", message);
            let help =
                "write unix:/var/agentx/master or tcp:localhost:705, as in snmpd's agentXSocket";
            self.diagnostics.push(diagnostic.at(at.span).help(help));
        }
        snmp
    }

    fn smtp_server(&mut self, server: &said::SmtpServer) -> Option<SocketAddr> {
        let said::SmtpServer { host, port, span } = server;
        let literal = host.parse().ok();
        let address = literal.or_else(|| self.host.resolve(host).into_iter().next());
        if address.is_none() {
            let message = format!("Invalid smtp server {host} {port}");
            let diagnostic = Diagnostic::error("keepalived/value", message);
            let reason = "neither an address nor the name of a host that is known".to_owned();
            self.diagnostics.push(diagnostic.label(*span, reason));
        }
        Some(SocketAddr::new(address?, *port))
    }

    fn timed(&mut self, which: &str, said: &said::TimedScript) -> Option<TimedScript> {
        let script = self.scripts.outer(which, said.script.as_ref()?, &mut self.diagnostics)?;
        Some(TimedScript { script, timeout: said.timeout.unwrap_or(SCRIPT_TIMEOUT) })
    }

    /// What an instance or a group says, or else `global_defs`.
    pub(super) fn own_telling(&mut self, said: &said::Telling) -> InstanceTelling {
        let globals = &self.config.globals.telling;
        let (scripts, diagnostics) = (&mut self.scripts, &mut self.diagnostics);
        let mut lower = |command: &Option<_>| scripts.notify(command.as_ref()?, diagnostics);
        let deleted = |it: &said::Deleted| Deleted { script: lower(&it.0) };
        InstanceTelling {
            priority_changes: said.priority_changes.unwrap_or(globals.priority_changes),
            mail: said.mail.or(globals.vrrp_mail).or(globals.mail).unwrap_or(false),
            deleted: said.deleted.as_ref().map(deleted),
            lower_priority_heard: lower(&said.lower_priority_heard),
        }
    }

    pub(super) fn notify(&mut self, configured: &config::Notifies) -> Notify {
        let (scripts, diagnostics) = (&mut self.scripts, &mut self.diagnostics);
        let mut lower = |command: &Option<_>| scripts.notify(command.as_ref()?, diagnostics);
        Notify {
            master: lower(&configured.master),
            backup: lower(&configured.backup),
            fault: lower(&configured.fault),
            stop: lower(&configured.stop),
            any: lower(&configured.any),
        }
    }
}
