//! The face of nginx: its options ([`asked`]), its messages ([`mouth`]), its exit codes.

mod asked;
mod mouth;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::asked::{Asked, Order, parse, say_version};
use self::mouth::Mouth;
use super::loading;
use crate::kernel::process::{self, Launch};
use crate::load::{Inputs, Loaded, NginxInput};
use crate::plan::Plan;
use crate::plan::process::{ErrorLog, LogLevel};
use crate::runtime::log::{self, Output, Settings, Voice, reason};
use crate::runtime::supervisor::upgrade::{Inherited, Invocation, SOCKETS};
use crate::runtime::supervisor::{Appearance, Face, Kind, Refusal, Supervisor, probe_listeners};
use crate::text::{Diagnostic, Severity};

/// Where relative paths start without `-p`: Debian's.
pub(in crate::cli) const PREFIX: &str = "/usr/share/nginx";
const CONF: &str = "/etc/nginx/nginx.conf";
const ERROR_LOG: &str = "/var/log/nginx/error.log";

pub(in crate::cli) fn main(name: &OsStr, arguments: &[OsString]) -> ExitCode {
    let asked = match parse(arguments) {
        Ok(asked) => asked,
        Err(complaint) => {
            eprintln!("nginx: {complaint}");
            return ExitCode::FAILURE;
        }
    };
    if asked.help || asked.version || asked.build {
        say_version(&asked);
        if !asked.test {
            return ExitCode::SUCCESS;
        }
    }
    process::set_name("nginx");
    let inputs = inputs(&asked);
    let voice = Mouth::open(&inputs);
    let inherited = match asked.test || asked.signal.is_some() {
        true => None,
        false => Inherited::from_environment(|level, line| voice.say(level, &line)),
    };
    process::forget_variable(SOCKETS);
    let loaded = loading::now(&Inputs { nginx: Some(inputs.clone()), ..Inputs::default() });
    if asked.test {
        return test(&asked, &inputs, &voice, &loaded);
    }
    voice.complain(&loaded.sources, worth_saying(&loaded));
    let Some(plan) = loaded.into_plan() else { return ExitCode::FAILURE };
    match asked.signal {
        Some(order) => send(order, &plan, &voice),
        None => run((name, arguments), inputs, plan, &voice, inherited),
    }
}

fn inputs(asked: &Asked) -> NginxInput {
    let prefix = match &asked.prefix {
        Some(prefix) => absolute(Path::new(prefix)),
        None => PathBuf::from(PREFIX),
    };
    let file = match &asked.conf {
        Some(conf) => prefix.join(conf),
        None => PathBuf::from(CONF),
    };
    // As nginx, which takes the prefix as it was given.
    let given = asked.prefix.as_ref().map(Path::new).filter(|given| given.is_relative());
    let given = given.filter(|given| !given.as_os_str().is_empty());
    let shown = asked.conf.as_ref().and_then(|conf| Some(given?.join(conf)));
    let error_log = asked.error_log.as_deref().unwrap_or(OsStr::new(ERROR_LOG));
    NginxInput {
        file,
        shown,
        error_log: Some(match error_log.as_bytes() {
            b"stderr" => PathBuf::from("stderr"),
            _ => prefix.join(error_log),
        }),
        global: asked.global.as_ref().map(|global| global.to_string_lossy().into_owned()),
        prefix,
    }
}

/// As seen from the current directory.
pub(in crate::cli) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// nginx stops at the first error. Those that stand elsewhere in the files are worth saying too;
/// what only follows from the first one (a section that is missing behind it) isn't.
fn worth_saying(loaded: &Loaded) -> Vec<&Diagnostic> {
    let mut failed = false;
    let mut kept = Vec::new();
    for diagnostic in loaded.diagnostics.iter() {
        let error = diagnostic.severity >= Severity::Error;
        if !(failed && error && diagnostic.span().is_none()) {
            kept.push(diagnostic);
        }
        failed |= error;
    }
    kept
}

/// Whether nginx says it while it reads the config: what has a place in it, and what it says of
/// servers when it has read them all.
fn is_of_reading(one: &Diagnostic) -> bool {
    one.span().is_some() || matches!(one.code, "nginx/conflicting-name" | "nginx/bad-server-name")
}

/// `-t`: the syntax, and then whether what it names can be opened.
fn test(asked: &Asked, inputs: &NginxInput, voice: &Mouth, loaded: &Loaded) -> ExitCode {
    let file = inputs.shown.as_ref().unwrap_or(&inputs.file).display();
    let diagnostics = worth_saying(loaded);
    let syntax_is_ok = !diagnostics.iter().any(|one| {
        let early = is_of_reading(one)
            || matches!(one.code, "nginx/tls" | "nginx/no-resolver")
            || one.message.contains("() \"");
        one.severity >= Severity::Error && early
    });
    // What nginx finds while it reads comes first, then its word on the syntax.
    let (early, late): (Vec<&Diagnostic>, Vec<&Diagnostic>) = diagnostics
        .into_iter()
        .partition(|one| is_of_reading(one) || one.code == "nginx/tls" || !syntax_is_ok);
    voice.complain(&loaded.sources, early);
    if syntax_is_ok && !asked.quiet {
        eprintln!("nginx: the configuration file {file} syntax is ok");
    }
    voice.complain(&loaded.sources, late);
    let works = loaded.plan.as_ref().is_some_and(|plan| {
        let complaints = unopenable(plan);
        complaints.iter().for_each(|line| voice.say(LogLevel::Emerg, line));
        complaints.is_empty()
    });
    if !works {
        eprintln!("nginx: configuration file {file} test failed");
        return ExitCode::FAILURE;
    }
    if !asked.quiet {
        eprintln!("nginx: configuration file {file} test is successful");
    }
    if asked.dump {
        // Nobody is left to hear about a closed standard output.
        let _ = std::io::stdout().lock().write_all(&loaded.dump);
    }
    ExitCode::SUCCESS
}

/// What a start would fail to open: the pid file, log files, listening sockets (one that is in use
/// is probably our own, running).
fn unopenable(plan: &Plan) -> Vec<String> {
    let Some(stream) = &plan.stream else { return Vec::new() };
    let files = [stream.process.pid.as_path()].into_iter().chain(stream.log_files());
    match unopenable_file(files) {
        Some(complaint) => vec![complaint],
        None => probe_listeners(&stream.listeners),
    }
}

/// The first file that can't be written to, in nginx's words. Nothing is left behind.
fn unopenable_file<'a>(mut files: impl Iterator<Item = &'a Path>) -> Option<String> {
    files.find_map(|path| {
        let there = path.exists();
        match std::fs::OpenOptions::new().append(true).create(true).open(path) {
            Err(error) => {
                Some(format!("open() \"{}\" failed ({})", path.display(), reason(&error)))
            }
            Ok(_) => {
                if !there {
                    // Gone already: that was the aim.
                    let _ = std::fs::remove_file(path);
                }
                None
            }
        }
    })
}

/// `-s`
fn send(order: Order, plan: &Plan, voice: &Mouth) -> ExitCode {
    voice.say(LogLevel::Notice, "signal process started");
    let Some(stream) = &plan.stream else { return ExitCode::FAILURE };
    let path = &stream.process.pid;
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) => {
            let reason = reason(&error);
            voice.say(LogLevel::Error, &format!("open() \"{}\" failed ({reason})", path.display()));
            return ExitCode::FAILURE;
        }
    };
    let text = String::from_utf8_lossy(&content);
    let text = text.trim_end_matches(['\r', '\n']);
    let Some(pid) = text.parse::<i32>().ok().filter(|pid| *pid > 0) else {
        let message = format!("invalid PID number \"{text}\" in \"{}\"", path.display());
        voice.say(LogLevel::Error, &message);
        return ExitCode::FAILURE;
    };
    match process::signal(pid, order.signal()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let message = format!("kill({pid}, {}) failed ({})", order.signal(), reason(&error));
            voice.say(LogLevel::Alert, &message);
            ExitCode::FAILURE
        }
    }
}

/// Becomes the master process.
fn run(
    (name, arguments): (&OsStr, &[OsString]),
    inputs: NginxInput,
    plan: Plan,
    voice: &Mouth,
    inherited: Option<Inherited>,
) -> ExitCode {
    let Some(stream) = &plan.stream else { return ExitCode::FAILURE };
    let (daemon, logs) = (stream.process.daemon, stream.process.error_logs.clone());
    let log = match configured(&logs, voice) {
        Ok(log) => log,
        Err(error) => {
            voice.say(LogLevel::Emerg, &error.to_string());
            return ExitCode::FAILURE;
        }
    };
    let worker = Appearance {
        title: "nginx: worker process".into(),
        arguments: Vec::new(),
        log: log.clone(),
    };
    let face = Face {
        kind: Kind::Nginx,
        vrrp: worker.clone(),
        stream: worker,
        pid_file: None,
        vrrp_pid_file: None,
        reload_file: PathBuf::new(),
        log: log.clone(),
        mute: false,
        invocation: Some(Invocation { name: name.to_owned(), arguments: arguments.to_vec() }),
        respawn: true,
    };
    let load = loading::again(Inputs { nginx: Some(inputs), ..Inputs::default() }, Voice::Nginx);
    let is_successor = inherited.is_some();
    let pid_file = stream.process.pid.clone();
    if let Some(complaint) = unopenable_file(stream.log_files()) {
        voice.say(LogLevel::Emerg, &complaint);
        return ExitCode::FAILURE;
    }
    let supervisor = match Supervisor::prepare(face, plan, load, inherited) {
        Ok(supervisor) => supervisor,
        Err(Refusal::Listen(lines)) => {
            lines.iter().for_each(|line| voice.say(LogLevel::Emerg, line));
            return ExitCode::FAILURE;
        }
        Err(Refusal::Running { pid, file, .. }) => {
            let message = format!("already running: {pid} in \"{}\"", file.display());
            voice.say(LogLevel::Emerg, &message);
            return ExitCode::FAILURE;
        }
    };
    // The supervisor writes it; people are told where they look.
    if let Some(complaint) = unopenable_file([pid_file.as_path()].into_iter()) {
        voice.say(LogLevel::Emerg, &complaint);
        return ExitCode::FAILURE;
    }
    let to_stderr = log.outputs.iter().any(|(output, _)| *output == Output::Stderr);
    let launch = match daemon && !is_successor {
        // The process before this one waits for its child.
        true => process::daemonise(to_stderr),
        false => Ok(Launch::foreground()),
    };
    let launch = match launch {
        Ok(launch) => launch,
        Err(error) => {
            voice.say(LogLevel::Emerg, &format!("daemon() failed ({})", reason(&error)));
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = log::configure(&log) {
        voice.say(LogLevel::Emerg, &error.to_string());
    }
    let mut title = b"nginx: master process ".to_vec();
    title.extend_from_slice(name.as_bytes());
    for argument in arguments {
        title.push(b' ');
        title.extend_from_slice(argument.as_bytes());
    }
    process::set_title(&title);
    mouth::introduce();
    supervisor.run(launch)
}

/// The log that the configuration names; without one, the command line's goes on.
fn configured(logs: &[ErrorLog], voice: &Mouth) -> std::io::Result<Settings> {
    if logs.is_empty() {
        return Ok(voice.settings.clone());
    }
    let settings = Settings { outputs: log::outputs(logs), ..voice.settings.clone() };
    log::configure(&settings)?;
    // Until the start is over, people are told where they look.
    log::configure(&voice.settings)?;
    Ok(settings)
}
