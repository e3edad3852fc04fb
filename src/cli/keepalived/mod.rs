//! The face of keepalived: its options, its messages, its exit codes.
//!
//! [`asked`] has the options, [`words`] what is printed about them, [`places`] where run files are.

mod asked;
mod places;
mod words;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::asked::{Asked, parse};
pub(super) use self::places::PID_FILE;
use self::places::{Places, ident, settings};
use super::{inspect, loading};
use crate::keepalived::{config_test_exit, config_test_says, is_include_missing};
use crate::kernel::process::{self, Launch};
use crate::load::Inputs;
use crate::plan::Plan;
use crate::runtime::log::{self, Settings, Voice};
use crate::runtime::supervisor::{Appearance, Face, Kind, Refusal, Supervisor, save};
use crate::runtime::version;
use crate::text::Severity;

const CONF: &str = "/etc/keepalived/keepalived.conf";

/// Exit codes, as measured.
const CANNOT_RUN: u8 = 2;
const ALL_CONFIG_MISSING: u8 = 4;
const NO_CONFIG: u8 = 6;
const INCLUDE_MISSING: u8 = 6;

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

/// `-t`
fn test(asked: &Asked, inputs: &Inputs, file: &Path, log_file: Option<&Path>) -> ExitCode {
    let loaded = match loading::first(inputs, asked.namespace.as_deref()) {
        Ok(loaded) => loaded,
        Err((name, error)) => {
            // Whether the config is right can't be said without its interfaces; the real one ends
            // like this, too.
            eprintln!("Unable to set network namespace {name} ({error}): nothing was checked");
            return ExitCode::SUCCESS;
        }
    };
    let mut out: Box<dyn Write> = match log_file.map(std::fs::File::create) {
        None => Box::new(std::io::stderr()),
        Some(Ok(file)) => Box::new(file),
        Some(Err(error)) => {
            eprintln!("Unable to open config-test log file: {error}");
            return ExitCode::from(CANNOT_RUN);
        }
    };
    for diagnostic in config_test_says(&loaded.diagnostics) {
        // A complaint that nobody can read changes nothing about the verdict.
        for line in loading::lines(&loaded.sources, diagnostic, Voice::Keepalived) {
            let _ = writeln!(out, "{line}");
        }
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
    let log = settings(asked, "Keepalived".to_owned(), None);
    if let Err(error) = log::configure(&log) {
        eprintln!("{error}");
        return ExitCode::from(CANNOT_RUN);
    }
    if asked.core_dump
        && let Err(error) = process::allow_core_dumps()
    {
        eprintln!("core dumps can't be allowed: {error}");
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
    mut log: Settings,
) -> ExitCode {
    let loaded = match loading::first(&inputs, asked.namespace.as_deref()) {
        Ok(loaded) => loaded,
        Err((name, error)) => {
            tracing::error!("Unable to set network namespace {name} - exiting ({error})");
            // The real one ends with 0 here, so that nobody notices.
            return ExitCode::from(CANNOT_RUN);
        }
    };
    if !file.exists() {
        tracing::info!("Config files missing '{}'.", file.display());
        return ExitCode::from(NO_CONFIG);
    }
    tracing::info!("Configuration file {}", file.display());
    for diagnostic in loaded.diagnostics.iter() {
        for line in loading::lines(&loaded.sources, diagnostic, Voice::Keepalived) {
            match diagnostic.severity {
                Severity::Note => tracing::info!("{line}"),
                Severity::Warning => tracing::warn!("{line}"),
                Severity::Error | Severity::Fatal => tracing::error!("{line}"),
            }
        }
    }
    if is_include_missing(&loaded.diagnostics) {
        return ExitCode::from(INCLUDE_MISSING);
    }
    save(&loaded.plan, &loading::copy(&loaded.sources, &loaded.plan));
    let Some(mut plan) = loaded.into_plan() else {
        tracing::error!("permanent error CONFIG. Terminating");
        return ExitCode::from(CANNOT_RUN);
    };
    if asked.check && !asked.vrrp {
        tracing::warn!("--check: healthcheckers are not supported yet, and VRRP isn't wanted");
    }
    asked.overrule(&mut plan);
    if plan.vrrp.is_none() {
        tracing::warn!("Warning - keepalived has no configuration to run");
    }
    if asked.dump {
        dump(&plan);
    }
    let process = plan.vrrp.as_ref().map(|plan| plan.process.clone()).unwrap_or_default();
    let namespace = loading::namespace();
    let places = Places::new(asked, &process, namespace);
    if let Err(error) = places.prepare() {
        tracing::error!("/run/keepalived: {error}");
        return ExitCode::from(CANNOT_RUN);
    }
    let name_in_logs = ident("Keepalived", &process, namespace);
    if log.name != name_in_logs {
        tracing::info!("Changing syslog ident to {name_in_logs}");
        log.name = name_in_logs;
        // Its files are open already: nothing new can fail.
        let _ = log::configure(&log);
    }
    if let Some(name) = &process.names.parent {
        process::set_name(name);
    }
    // The vrrp process has a default of its own; pid files are for everybody to read.
    if let Some(mask) = process.umask {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
    }
    let face = Face {
        kind: Kind::Keepalived,
        stream: Appearance { title: name.to_owned(), arguments: Vec::new(), log: log.clone() },
        vrrp: Appearance {
            title: name.to_owned(),
            arguments: arguments.to_vec(),
            log: settings(asked, ident("Keepalived_vrrp", &process, namespace), Some("_vrrp")),
        },
        pid_file: Some(places.pid_file.clone()),
        vrrp_pid_file: Some(places.vrrp_pid_file.clone()),
        reload_file: places.reload_file.clone(),
        log,
        mute: false,
        invocation: None,
        respawn: !asked.no_respawn,
    };
    let again = loading::again(inputs, Voice::Keepalived);
    let overrule = asked.clone();
    let load = std::sync::Arc::new(move || {
        let mut fresh = again();
        fresh.plan.iter_mut().for_each(|plan| overrule.overrule(plan));
        fresh
    });
    let supervisor = match Supervisor::prepare(face, plan, load, None) {
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
    let launch = if asked.foreground {
        Launch::foreground()
    } else {
        match process::daemonise(asked.console) {
            Ok(launch) => launch,
            Err(error) => {
                tracing::error!("can't go to the background: {error}");
                return ExitCode::from(CANNOT_RUN);
            }
        }
    };
    if !asked.foreground
        && let Err(error) = std::env::set_current_dir("/")
    {
        tracing::warn!("/: {error}");
    }
    let pattern_before = asked.core_pattern.as_deref().and_then(name_cores);
    let code = supervisor.run(launch);
    if let Some(before) = pattern_before
        && let Err(error) = std::fs::write(CORE_PATTERN, before)
    {
        tracing::warn!("{CORE_PATTERN} can't be put back: {error}");
    }
    places.clean();
    code
}

const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// `-M`: how core dumps are called, on the whole host; returns what it was.
fn name_cores(pattern: &str) -> Option<Vec<u8>> {
    let before = std::fs::read(CORE_PATTERN);
    match before.and_then(|before| std::fs::write(CORE_PATTERN, pattern).map(|()| before)) {
        Ok(before) => Some(before),
        Err(error) => {
            tracing::warn!("{CORE_PATTERN}: {error}");
            None
        }
    }
}

fn dump(plan: &Plan) {
    for line in inspect::describe(plan).lines() {
        tracing::info!("{line}");
    }
}
