//! keepalived(8)'s options, and what was asked for by them.

use std::ffi::OsString;
use std::path::PathBuf;

use super::words::{say_help, say_version};
use crate::cli::options::{self, Item, Known, Value};
use crate::plan::Plan;
use crate::runtime::log;
use crate::runtime::supervisor::signals;

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) file: Option<PathBuf>,
    pub(super) config_id: Option<String>,
    pub(super) test: Option<Option<PathBuf>>,
    pub(super) console: bool,
    pub(super) detail: bool,
    pub(super) no_syslog: bool,
    pub(super) log_file: Option<PathBuf>,
    pub(super) facility: Option<u8>,
    pub(super) foreground: bool,
    pub(super) dump: bool,
    pub(super) no_respawn: bool,
    pub(super) all_config: bool,
    pub(super) vrrp: bool,
    pub(super) check: bool,
    pub(super) umask: Option<u32>,
    pub(super) core_dump: bool,
    pub(super) pid: Option<PathBuf>,
    pub(super) vrrp_pid: Option<PathBuf>,
    /// `-M`: the kernel's pattern while this runs.
    pub(super) core_pattern: Option<String>,
    pub(super) namespace: Option<String>,
    /// `-V`
    pub(super) leave_addresses: bool,
    /// `-a`
    pub(super) watch_addresses: bool,
    /// `-x`
    pub(super) snmp: bool,
    /// `-A`
    pub(super) snmp_socket: Option<String>,
    /// Said by name: it was asked for and doesn't happen.
    pub(super) without_effect: Vec<String>,
}

impl Asked {
    /// What the command line says goes before what the config says.
    pub(super) fn overrule(&self, plan: &mut Plan) {
        if self.check && !self.vrrp {
            plan.vrrp = None;
        }
        let Some(plan) = &mut plan.vrrp else { return };
        plan.process.umask = self.umask.or(plan.process.umask);
        plan.process.leave_addresses = self.leave_addresses;
        plan.process.watch_addresses = self.watch_addresses;
        let snmp = &mut plan.telling.snmp;
        snmp.vrrp |= self.snmp;
        snmp.checker |= self.snmp;
        snmp.socket = self.snmp_socket.clone().or(snmp.socket.take());
    }
}

const fn flag(short: char, long: &'static str) -> Known {
    Known { short, long, value: Value::None }
}

const fn value(short: char, long: &'static str) -> Known {
    Known { short, long, value: Value::Required }
}

const fn optional(short: char, long: &'static str) -> Known {
    Known { short, long, value: Value::Optional }
}

const NONE: char = '\0';

/// keepalived(8), "OPTIONS".
const KNOWN: [Known; 36] = [
    value('f', "use-file"),
    flag('P', "vrrp"),
    flag('C', "check"),
    flag('B', "no_bfd"),
    flag(NONE, "all"),
    flag('l', "log-console"),
    flag('D', "log-detail"),
    value('S', "log-facility"),
    value('g', "log-file"),
    flag(NONE, "flush-log-file"),
    flag('G', "no-syslog"),
    flag('X', "release-vips"),
    flag('V', "dont-release-vrrp"),
    flag('I', "dont-release-ipvs"),
    flag('R', "dont-respawn"),
    flag('n', "dont-fork"),
    flag('d', "dump-conf"),
    value('p', "pid"),
    value('r', "vrrp_pid"),
    value('c', "checkers_pid"),
    value('b', "bfd_pid"),
    flag('T', "genhash"),
    flag('a', "address-monitoring"),
    value('s', "namespace"),
    flag('e', "all-config"),
    value('i', "config-id"),
    flag('x', "snmp"),
    value('A', "snmp-agent-socket"),
    value('u', "umask"),
    flag('m', "core-dump"),
    optional('M', "core-dump-pattern"),
    value(NONE, "signum"),
    optional('t', "config-test"),
    optional(NONE, "perf"),
    optional(NONE, "debug"),
    flag(NONE, "no-mem-check"),
];

/// The exit code where there is nothing more to do.
pub(super) fn parse(arguments: &[OsString]) -> Result<Asked, u8> {
    let mut asked = Asked::default();
    let known: Vec<Known> =
        KNOWN.into_iter().chain([flag('v', "version"), flag('h', "help")]).collect();
    let mut stray = Vec::new();
    for item in options::read(&known, arguments) {
        match item {
            Item::Argument(argument) => stray.push(argument.to_string_lossy().into_owned()),
            Item::Unknown(option) => {
                eprintln!("Unknown option {option}");
                return Err(1);
            }
            Item::MissingValue(option) => {
                eprintln!("Missing parameter for option {option}");
                return Err(1);
            }
            Item::Option(name, value) => take(&mut asked, name, value)?,
        }
    }
    if !stray.is_empty() {
        println!("Unexpected argument(s): {} ", stray.join(" "));
    }
    Ok(asked)
}

fn take(asked: &mut Asked, name: &'static str, value: Option<OsString>) -> Result<(), u8> {
    let path = || value.clone().map(PathBuf::from);
    let text = || value.as_ref().map(|value| value.to_string_lossy().into_owned());
    let not_yet = |asked: &mut Asked, what: &str| {
        asked.without_effect.push(format!("Option --{name} has no effect: {what}"));
    };
    match name {
        "use-file" => asked.file = path(),
        "config-id" => asked.config_id = text(),
        "config-test" => asked.test = Some(path()),
        "vrrp" => asked.vrrp = true,
        "check" => asked.check = true,
        "log-console" => asked.console = true,
        "log-detail" => asked.detail = true,
        "log-file" => asked.log_file = path(),
        // Every line is flushed anyway.
        "flush-log-file" | "no_bfd" => {}
        "no-syslog" => asked.no_syslog = true,
        "dont-respawn" => asked.no_respawn = true,
        "dont-fork" => asked.foreground = true,
        "dump-conf" => asked.dump = true,
        "pid" => asked.pid = path(),
        "vrrp_pid" => asked.vrrp_pid = path(),
        "all-config" => asked.all_config = true,
        "core-dump" => asked.core_dump = true,
        "log-facility" => match facility(&text().unwrap_or_default()) {
            Some(facility) => asked.facility = Some(facility),
            None => eprintln!("Invalid log facility '{}'", text().unwrap_or_default()),
        },
        "umask" => match umask(&text().unwrap_or_default()) {
            Some(mask) => asked.umask = Some(mask),
            None => eprintln!("Invalid --umask option {}", text().unwrap_or_default()),
        },
        "signum" => {
            let name = text().unwrap_or_default();
            let Some(number) = signum(&name) else {
                eprintln!("Unknown sigfunc {name}");
                return Err(1);
            };
            println!("{number}");
            return Err(0);
        }
        "version" => {
            say_version();
            return Err(0);
        }
        "help" => {
            say_help();
            return Err(0);
        }
        "namespace" => asked.namespace = text(),
        "dont-release-vrrp" => asked.leave_addresses = true,
        "address-monitoring" => asked.watch_addresses = true,
        // Addresses go whenever a router stops being master, by whatever way.
        "release-vips" => {}
        "core-dump-pattern" => {
            asked.core_dump = true;
            asked.core_pattern = Some(text().unwrap_or_else(|| "core".to_owned()));
        }
        "genhash" => {
            eprintln!(
                "Option --genhash is not supported: it is a program of its own, for the digests of \
                 HTTP_GET. `curl -s URL | md5sum` computes the same"
            );
            return Err(1);
        }
        "checkers_pid" => not_yet(asked, "there is no checker process yet, so no pid file for it"),
        "bfd_pid" => not_yet(asked, "there is no BFD process yet, so no pid file for it"),
        "dont-release-ipvs" => not_yet(asked, "IPVS is not supported yet"),
        "snmp" => asked.snmp = true,
        "snmp-agent-socket" => asked.snmp_socket = text(),
        "all" => not_yet(asked, "only the vrrp process is there, and runs if it is configured"),
        _ => not_yet(asked, "it is for keepalived's own developers"),
    }
    Ok(())
}

/// syslog(3)'s number.
fn facility(name: &str) -> Option<u8> {
    const USER: u8 = 1;
    const LOCAL0: u8 = 16;
    match name {
        "user" => Some(USER),
        "daemon" => Some(log::DAEMON),
        _ => {
            let digit = name.strip_prefix("local").unwrap_or(name);
            let number = digit.parse::<u8>().ok().filter(|number| *number < 8)?;
            Some(LOCAL0 + number)
        }
    }
}

/// As in C: octal with a leading zero, hexadecimal with 0x.
fn umask(text: &str) -> Option<u32> {
    let mask = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(hex), _) => u32::from_str_radix(hex, 16),
        (None, Some(octal)) if !octal.is_empty() => u32::from_str_radix(octal, 8),
        _ => text.parse(),
    };
    mask.ok().filter(|mask| *mask <= 0o777)
}

fn signum(name: &str) -> Option<i32> {
    Some(match name {
        "STOP" => libc::SIGTERM,
        "RELOAD" => libc::SIGHUP,
        "DATA" => libc::SIGUSR1,
        "STATS" => libc::SIGUSR2,
        "STATS_CLEAR" => signals::STATS_CLEAR,
        "JSON" => signals::JSON,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_mean_what_the_manual_says() {
        assert_eq!(umask("022"), Some(0o22));
        assert_eq!(umask("0x1f"), Some(0x1f));
        assert_eq!(umask("999"), None);
        assert_eq!(facility("local3"), Some(19));
        assert_eq!(facility("9"), None);
        assert_eq!(signum("JSON"), Some(36));
        assert_eq!(signum("stop"), None);
    }
}
