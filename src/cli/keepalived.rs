//! The face of keepalived: its options, its messages, its exit codes.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::options::{self, Item, Known, Value};
use super::{inspect, loading};
use crate::keepalived::config_test_exit;
use crate::kernel::process::{self, Launch};
use crate::load::Inputs;
use crate::plan::Plan;
use crate::plan::process::LogLevel;
use crate::runtime::log::{self, Output, Settings, Voice};
use crate::runtime::supervisor::{Appearance, Face, Kind, Refusal, Supervisor, signals};
use crate::runtime::version;
use crate::text::Severity;

/// The parent's, and what tools look for.
pub(super) const PID_FILE: &str = "/run/keepalived.pid";
/// The vrrp process's, as Debian's package has it.
const VRRP_PID_FILE: &str = "/run/vrrp.pid";
const CONF: &str = "/etc/keepalived/keepalived.conf";

/// Exit codes, as measured.
const CANNOT_RUN: u8 = 2;
const ALL_CONFIG_MISSING: u8 = 4;
const NO_CONFIG: u8 = 6;

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

/// What was asked for.
#[derive(Debug, Default)]
struct Asked {
    file: Option<PathBuf>,
    config_id: Option<String>,
    test: Option<Option<PathBuf>>,
    console: bool,
    detail: bool,
    no_syslog: bool,
    log_file: Option<PathBuf>,
    facility: Option<u8>,
    foreground: bool,
    dump: bool,
    no_respawn: bool,
    all_config: bool,
    vrrp: bool,
    check: bool,
    umask: Option<u32>,
    core_dump: bool,
    pid: Option<PathBuf>,
    vrrp_pid: Option<PathBuf>,
    /// Said by name: it was asked for and doesn't happen.
    without_effect: Vec<String>,
}

pub(super) fn main(name: &OsStr, arguments: &[OsString]) -> ExitCode {
    let asked = match parse(arguments) {
        Ok(asked) => asked,
        Err(code) => return ExitCode::from(code),
    };
    for option in &asked.without_effect {
        eprintln!("{option}");
    }
    let file = asked.file.clone().unwrap_or_else(|| PathBuf::from(CONF));
    let inputs = Inputs {
        keepalived: Some(file.clone()),
        config_id: asked.config_id.clone(),
        ..Inputs::default()
    };
    if let Some(log_file) = &asked.test {
        return test(&asked, &inputs, &file, log_file.as_deref());
    }
    run(name, arguments, &asked, inputs, &file)
}

/// The exit code where there is nothing more to do.
fn parse(arguments: &[OsString]) -> Result<Asked, u8> {
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
        // Nothing of it may run by accident: in the wrong namespace, or as another program.
        "namespace" => {
            eprintln!("Option --namespace is not supported yet; start it with `ip netns exec`");
            return Err(CANNOT_RUN);
        }
        "genhash" => {
            eprintln!("Option --genhash is not supported");
            return Err(1);
        }
        "checkers_pid" => not_yet(asked, "there is no checker process yet, so no pid file for it"),
        "bfd_pid" => not_yet(asked, "there is no BFD process yet, so no pid file for it"),
        "dont-release-ipvs" => not_yet(asked, "IPVS is not supported yet"),
        "snmp" | "snmp-agent-socket" => not_yet(asked, "SNMP is not supported"),
        "dont-release-vrrp" => not_yet(asked, "addresses are always removed at the end"),
        "release-vips" => not_yet(asked, "not supported yet"),
        "address-monitoring" => not_yet(asked, "not supported yet"),
        "all" => not_yet(asked, "only the vrrp process is there, and runs if it is configured"),
        "core-dump-pattern" => not_yet(asked, "set kernel.core_pattern by sysctl(8)"),
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

fn say_version() {
    eprintln!("{}\n", version::KEEPALIVED);
    if let Ok(name) = nix::sys::utsname::uname() {
        let part = |part: &OsStr| part.to_string_lossy().into_owned();
        eprintln!("Running on {} {}\n", part(name.sysname()), part(name.release()));
    }
    eprintln!("Config options:  VRRP VRRP_AUTH");
}

fn say_help() {
    eprintln!(
        "Usage: keepalived [OPTION...]
  -f, --use-file=FILE          Configuration file (default {CONF})
  -i, --config-id=ID           What @ID lines are compared with (default: the host's name)
  -t, --config-test[=FILE]     Only check the configuration; complaints go to FILE or stderr
  -e, --all-config             A missing configuration file is an error
  -n, --dont-fork              Stay in the foreground
  -l, --log-console            Log to standard error, too
  -D, --log-detail             Log more
  -S, --log-facility=FACILITY  Of syslog: 0 to 7, local0 to local7, user or daemon (default)
  -g, --log-file=FILE          Log to FILE, too (_vrrp is added for the vrrp process)
  -G, --no-syslog              Don't log to syslog
  -d, --dump-conf              Log what will run
  -p, --pid=FILE               Pid file of the parent (default {PID_FILE})
  -r, --vrrp_pid=FILE          Pid file of the vrrp process (default {VRRP_PID_FILE})
  -R, --dont-respawn           A child that dies isn't started again
  -u, --umask=MASK             For files that are created
  -m, --core-dump              Allow core dumps
  -P, --vrrp                   Only VRRP (all there is so far)
      --signum=NAME            Print the signal for STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON
  -v, --version                Print the version
  -h, --help                   Print this

Accepted, and without effect so far (it is said): -C -I -V -X -a -b -c -x -A -M --all
Refused so far: -s, -T"
    );
}

/// `-t`
fn test(asked: &Asked, inputs: &Inputs, file: &Path, log_file: Option<&Path>) -> ExitCode {
    let loaded = loading::now(inputs);
    let mut out: Box<dyn Write> = match log_file.map(std::fs::File::create) {
        None => Box::new(std::io::stderr()),
        Some(Ok(file)) => Box::new(file),
        Some(Err(error)) => {
            eprintln!("Unable to open config-test log file: {error}");
            return ExitCode::from(CANNOT_RUN);
        }
    };
    for diagnostic in loaded.diagnostics.iter() {
        // A complaint that nobody can read changes nothing about the verdict.
        let _ = writeln!(out, "{}", loading::line(&loaded.sources, diagnostic, Voice::Keepalived));
    }
    if asked.all_config && !file.exists() {
        return ExitCode::from(ALL_CONFIG_MISSING);
    }
    ExitCode::from(config_test_exit(&loaded.diagnostics))
}

/// Becomes keepalived's parent process.
fn run(
    name: &OsStr,
    arguments: &[OsString],
    asked: &Asked,
    inputs: Inputs,
    file: &Path,
) -> ExitCode {
    process::set_name("keepalived");
    let log = settings(asked, "Keepalived", None);
    if let Err(error) = log::configure(&log) {
        eprintln!("{error}");
        return ExitCode::from(CANNOT_RUN);
    }
    if asked.core_dump
        && let Err(error) = process::allow_core_dumps()
    {
        eprintln!("core dumps can't be allowed: {error}");
    }
    if let Some(mask) = asked.umask {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
    }
    tracing::info!("Starting {}", version::KEEPALIVED);
    let words: Vec<String> = std::iter::once(name)
        .chain(arguments.iter().map(OsString::as_os_str))
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    tracing::info!("Command line: {}", words.join(" "));
    for option in &asked.without_effect {
        tracing::warn!("{option}");
    }
    let code = start(name, arguments, asked, inputs, file, log);
    if code != ExitCode::SUCCESS {
        tracing::info!("Stopped {}", version::KEEPALIVED);
    }
    code
}

fn start(
    name: &OsStr,
    arguments: &[OsString],
    asked: &Asked,
    inputs: Inputs,
    file: &Path,
    log: Settings,
) -> ExitCode {
    let loaded = loading::now(&inputs);
    if !file.exists() {
        tracing::info!("Config files missing '{}'.", file.display());
        return ExitCode::from(NO_CONFIG);
    }
    tracing::info!("Configuration file {}", file.display());
    for diagnostic in loaded.diagnostics.iter() {
        let line = loading::line(&loaded.sources, diagnostic, Voice::Keepalived);
        match diagnostic.severity {
            Severity::Note => tracing::info!("{line}"),
            Severity::Warning => tracing::warn!("{line}"),
            Severity::Error | Severity::Fatal => tracing::error!("{line}"),
        }
    }
    let Some(mut plan) = loaded.plan else {
        tracing::error!("permanent error CONFIG. Terminating");
        return ExitCode::from(CANNOT_RUN);
    };
    if asked.check && !asked.vrrp {
        tracing::warn!("--check: healthcheckers are not supported yet, and VRRP isn't wanted");
        plan.vrrp = None;
    }
    if plan.vrrp.is_none() {
        tracing::warn!("Warning - keepalived has no configuration to run");
    }
    if asked.dump {
        dump(&plan);
    }
    let face = Face {
        kind: Kind::Keepalived,
        stream: Appearance { title: name.to_owned(), arguments: Vec::new(), log: log.clone() },
        vrrp: Appearance {
            title: name.to_owned(),
            arguments: arguments.to_vec(),
            log: settings(asked, "Keepalived_vrrp", Some("_vrrp")),
        },
        pid_file: Some(asked.pid.clone().unwrap_or_else(|| PID_FILE.into())),
        vrrp_pid_file: Some(asked.vrrp_pid.clone().unwrap_or_else(|| VRRP_PID_FILE.into())),
        log,
        mute: false,
        respawn: !asked.no_respawn,
    };
    let only_checkers = asked.check && !asked.vrrp;
    let again = loading::again(inputs, Voice::Keepalived);
    let load = std::sync::Arc::new(move || {
        let mut fresh = again();
        if let Some(plan) = &mut fresh.plan
            && only_checkers
        {
            plan.vrrp = None;
        }
        fresh
    });
    let supervisor = match Supervisor::prepare(face, plan, load) {
        Ok(supervisor) => supervisor,
        Err(Refusal::Running { .. }) => {
            // keepalived counts this as success, and so do the scripts that start it.
            tracing::info!("daemon is already running");
            return ExitCode::SUCCESS;
        }
        Err(Refusal::Listen(lines)) => {
            lines.iter().for_each(|line| tracing::error!("{line}"));
            return ExitCode::from(CANNOT_RUN);
        }
    };
    if asked.foreground {
        return supervisor.run(Launch::foreground());
    }
    match process::daemonise(asked.console) {
        Ok(launch) => {
            if let Err(error) = std::env::set_current_dir("/") {
                tracing::warn!("/: {error}");
            }
            supervisor.run(launch)
        }
        Err(error) => {
            tracing::error!("can't go to the background: {error}");
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn dump(plan: &Plan) {
    for line in inspect::describe(plan).lines() {
        tracing::info!("{line}");
    }
}

/// `-l`, `-g` and syslog go together, as keepalived has it.
fn settings(asked: &Asked, name: &str, infix: Option<&str>) -> Settings {
    let least = if asked.detail { LogLevel::Info } else { LogLevel::Notice };
    let mut outputs = Vec::new();
    if asked.console {
        outputs.push((Output::Stderr, least));
    }
    if let Some(file) = &asked.log_file {
        outputs.push((Output::File(with_infix(file, infix.unwrap_or_default())), least));
    }
    if !asked.no_syslog {
        let facility = asked.facility.unwrap_or(log::DAEMON);
        outputs.push((Output::Syslog { facility }, least));
    }
    Settings { voice: Voice::Keepalived, outputs, name: name.to_owned() }
}

/// Before the last dot of the file's name, else at its end.
fn with_infix(file: &Path, infix: &str) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(infix);
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
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
        let path = |file: &str| with_infix(Path::new(file), "_vrrp");
        assert_eq!(path("/var/log/k.log"), Path::new("/var/log/k_vrrp.log"));
        assert_eq!(path("/var/log/k"), Path::new("/var/log/k_vrrp"));
    }
}
