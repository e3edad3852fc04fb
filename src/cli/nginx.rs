//! The face of nginx: its options, its messages, its exit codes.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::loading;
use crate::kernel::process::{self, Launch};
use crate::load::{Inputs, Loaded, NginxInput};
use crate::plan::Plan;
use crate::plan::process::{ErrorLog, LogLevel, LogTarget};
use crate::runtime::log::{self, Output, Settings, Voice, reason};
use crate::runtime::supervisor::{Appearance, Face, Kind, Refusal, Supervisor, probe_listeners};
use crate::runtime::version;
use crate::text::{Diagnostic, Severity, SourceMap};

/// Where relative paths start without `-p`: Debian's.
pub(super) const PREFIX: &str = "/usr/share/nginx";
const CONF: &str = "/etc/nginx/nginx.conf";
const ERROR_LOG: &str = "/var/log/nginx/error.log";

/// What was asked for.
#[derive(Debug, Default)]
struct Asked {
    help: bool,
    version: bool,
    build: bool,
    test: bool,
    dump: bool,
    quiet: bool,
    conf: Option<OsString>,
    error_log: Option<OsString>,
    global: Option<OsString>,
    prefix: Option<OsString>,
    signal: Option<Order>,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Stop,
    Quit,
    Reopen,
    Reload,
}

impl Order {
    fn named(name: &[u8]) -> Option<Order> {
        Some(match name {
            b"stop" => Order::Stop,
            b"quit" => Order::Quit,
            b"reopen" => Order::Reopen,
            b"reload" => Order::Reload,
            _ => return None,
        })
    }

    fn signal(self) -> i32 {
        match self {
            Order::Stop => libc::SIGTERM,
            Order::Quit => libc::SIGQUIT,
            Order::Reopen => libc::SIGUSR1,
            Order::Reload => libc::SIGHUP,
        }
    }
}

pub(super) fn main(name: &OsStr, arguments: &[OsString]) -> ExitCode {
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
    let loaded = loading::now(&Inputs { nginx: Some(inputs.clone()), ..Inputs::default() });
    if asked.test {
        return test(&asked, &inputs, &voice, &loaded);
    }
    voice.complain(&loaded.sources, worth_saying(&loaded));
    let Some(plan) = loaded.plan else { return ExitCode::FAILURE };
    match asked.signal {
        Some(order) => send(order, &plan, &voice),
        None => run(name, arguments, inputs, plan, &voice),
    }
}

/// Each argument is a bunch of letters; a letter that takes a value takes the rest of its argument
/// or the next one.
fn parse(arguments: &[OsString]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let bytes = argument.as_bytes();
        let Some(mut letters) = bytes.strip_prefix(b"-") else {
            return Err(format!("invalid option: \"{}\"", argument.to_string_lossy()));
        };
        while let Some((letter, behind)) = letters.split_first() {
            letters = behind;
            let mut value = |what: &str| {
                let glued = std::mem::take(&mut letters);
                match (glued.is_empty(), glued) {
                    (false, glued) => Ok(OsString::from_vec(glued.to_vec())),
                    (true, _) => rest.next().cloned().ok_or_else(|| {
                        format!("option \"-{}\" requires {what}", char::from(*letter))
                    }),
                }
            };
            match letter {
                b'?' | b'h' => (asked.help, asked.version) = (true, true),
                b'v' => asked.version = true,
                b'V' => (asked.build, asked.version) = (true, true),
                b't' => asked.test = true,
                b'T' => (asked.test, asked.dump) = (true, true),
                b'q' => asked.quiet = true,
                b'c' => asked.conf = Some(value("file name")?),
                b'e' => asked.error_log = Some(value("file name")?),
                b'g' => asked.global = Some(value("parameter")?),
                b'p' => asked.prefix = Some(value("directory name")?),
                b's' => {
                    let name = value("parameter")?;
                    let order = Order::named(name.as_bytes());
                    asked.signal = Some(order.ok_or_else(|| {
                        format!("invalid option: \"-s {}\"", name.to_string_lossy())
                    })?);
                }
                other => {
                    return Err(format!("invalid option: \"{}\"", char::from(*other)));
                }
            }
        }
    }
    Ok(asked)
}

fn say_version(asked: &Asked) {
    eprintln!("nginx version: {}", version::NGINX);
    if asked.build {
        eprintln!("built by evenkeel {}", version::EVENKEEL);
        eprintln!(
            "configure arguments: --prefix={PREFIX} --conf-path={CONF} --error-log-path={ERROR_LOG} --pid-path=/run/nginx.pid --with-stream"
        );
    }
    if asked.help {
        eprintln!(
            "Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]
             [-e filename] [-c filename] [-g directives]

Options:
  -?,-h         : show this
  -v            : show the version
  -V            : show the version and how it was built
  -t            : test the configuration
  -T            : test the configuration and print all its files
  -q            : say nothing but errors while testing
  -s signal     : tell the running master: stop, quit, reopen, reload
  -p prefix     : where relative paths start (default: {PREFIX}/)
  -e filename   : error log until the configuration names one (default: {ERROR_LOG})
  -c filename   : configuration file (default: {CONF})
  -g directives : directives for the main context, beside the file
"
        );
    }
}

fn inputs(asked: &Asked) -> NginxInput {
    let prefix = match &asked.prefix {
        Some(prefix) => absolute(Path::new(prefix)),
        None => PathBuf::from(PREFIX),
    };
    let file = match &asked.conf {
        Some(conf) => prefix.join(conf),
        None if asked.prefix.is_some() => prefix.join("conf/nginx.conf"),
        None => PathBuf::from(CONF),
    };
    let error_log = asked.error_log.as_deref().unwrap_or(OsStr::new(ERROR_LOG));
    NginxInput {
        file,
        error_log: Some(match error_log.as_bytes() {
            b"stderr" => PathBuf::from("stderr"),
            _ => prefix.join(error_log),
        }),
        global: asked.global.as_ref().map(|global| global.to_string_lossy().into_owned()),
        prefix,
    }
}

/// As seen from the current directory.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// How nginx speaks before its configuration's error log is open: to standard error as
/// `nginx: [level] …`, and to the error log of the command line with time and pid. Where that log
/// is standard error, only the latter.
struct Mouth {
    settings: Settings,
    /// Standard error is the log.
    only_log: bool,
}

impl Mouth {
    fn open(inputs: &NginxInput) -> Mouth {
        let path = inputs.error_log.clone().unwrap_or_else(|| PathBuf::from(ERROR_LOG));
        let only_log = path.as_os_str() == "stderr";
        let output = if only_log { Output::Stderr } else { Output::File(path) };
        let mut settings = Settings {
            voice: Voice::Nginx,
            outputs: vec![(output, LogLevel::Notice)],
            name: "nginx".to_owned(),
        };
        if let Err(error) = log::configure(&settings) {
            eprintln!("nginx: [alert] could not open error log file: {error}");
            settings.outputs.clear();
        }
        Mouth { settings, only_log }
    }

    fn say(&self, level: LogLevel, text: &str) {
        let level_name = log::word(level);
        if !self.only_log && level >= LogLevel::Warn {
            eprintln!("nginx: [{level_name}] {text}");
        }
        tracing::error!(level = level_name, "{text}");
    }

    fn complain<'a>(
        &self,
        sources: &SourceMap,
        diagnostics: impl IntoIterator<Item = &'a Diagnostic>,
    ) {
        for diagnostic in diagnostics {
            let line = loading::line(sources, diagnostic, Voice::Nginx);
            self.say(loading::level(diagnostic.severity), &line);
        }
    }
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

/// `-t`: the syntax, and then whether what it names can be opened.
fn test(asked: &Asked, inputs: &NginxInput, voice: &Mouth, loaded: &Loaded) -> ExitCode {
    let file = inputs.file.display();
    let diagnostics = worth_saying(loaded);
    let syntax_is_ok = !diagnostics.iter().any(|one| {
        one.severity >= Severity::Error && (one.span().is_some() || one.message.contains("() \""))
    });
    // What nginx finds while it reads comes first, then its word on the syntax.
    let (early, late): (Vec<&Diagnostic>, Vec<&Diagnostic>) =
        diagnostics.into_iter().partition(|one| one.span().is_some() || !syntax_is_ok);
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

/// What a start would fail to open: log files, the pid file, listening sockets (one that is in use
/// is probably our own, running).
fn unopenable(plan: &Plan) -> Vec<String> {
    let Some(stream) = &plan.stream else { return Vec::new() };
    let mut complaints = Vec::new();
    let files = stream.process.error_logs.iter().filter_map(|log| match &log.target {
        LogTarget::File(path) => Some(path),
        LogTarget::Stderr | LogTarget::Syslog(_) => None,
    });
    for path in files.chain([&stream.process.pid]) {
        let there = path.exists();
        match std::fs::OpenOptions::new().append(true).create(true).open(path) {
            Err(error) => {
                let reason = reason(&error);
                complaints.push(format!("open() \"{}\" failed ({reason})", path.display()));
                return complaints;
            }
            // A test leaves nothing behind.
            Ok(_) if !there => _ = std::fs::remove_file(path),
            Ok(_) => {}
        }
    }
    complaints.extend(probe_listeners(&stream.listeners));
    complaints
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
    let text = text.trim_end();
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
    name: &OsStr,
    arguments: &[OsString],
    inputs: NginxInput,
    plan: Plan,
    voice: &Mouth,
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
        respawn: true,
    };
    let load = loading::again(Inputs { nginx: Some(inputs), ..Inputs::default() }, Voice::Nginx);
    let supervisor = match Supervisor::prepare(face, plan, load) {
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
    let to_stderr = log.outputs.iter().any(|(output, _)| *output == Output::Stderr);
    let launch = match daemon {
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
    tracing::info!("{}", version::NGINX);
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
