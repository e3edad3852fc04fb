//! The `evenkeel` command.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{check, inspect, loading};
use crate::kernel::process::{self, Launch};
use crate::lab;
use crate::load::{Inputs, NginxInput};
use crate::plan::process::LogLevel;
use crate::runtime::log::{self, Output, Settings, Voice};
use crate::runtime::supervisor::{Appearance, Face, Kind, Refusal, Supervisor};
use crate::runtime::version;

/// keepalived's VRRP and nginx's stream module in one daemon, from the config files you already
/// have.
#[derive(Debug, Parser)]
#[command(name = "evenkeel", version = version::EVENKEEL)]
#[command(
    after_help = "A link to this program named `keepalived` or `nginx` takes that program's \
                        options and behaves as it does."
)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run both config files: virtual addresses and proxied streams, under one supervisor
    Run {
        #[command(flatten)]
        files: Files,
        /// Where log lines go
        #[arg(long, value_enum, default_value_t = LogTo::Stderr)]
        log: LogTo,
        /// Log more
        #[arg(short, long)]
        verbose: bool,
    },
    /// Say what is wrong with the config files. Exit code: 0 nothing, 1 errors, 2 can't be read
    Check {
        #[command(flatten)]
        files: Files,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Warnings count as errors
        #[arg(long)]
        strict: bool,
    },
    /// Show what would run, with defaults filled in and names resolved
    Plan {
        #[command(flatten)]
        files: Files,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show which keywords are supported, and how far
    Directives {
        /// Of one config language only
        dialect: Option<Dialect>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Rehearse a cluster in namespaces of this host, with its config files unchanged
    Rehearse(lab::Options),
}

#[derive(Args, Debug)]
struct Files {
    /// keepalived's config file [default: /etc/keepalived/keepalived.conf, if it is there]
    #[arg(short = 'k', long = "keepalived", value_name = "FILE")]
    keepalived: Option<PathBuf>,
    /// nginx's config file [default: /etc/nginx/nginx.conf, if it is there]
    #[arg(short = 'n', long = "nginx", value_name = "FILE")]
    nginx: Option<PathBuf>,
    /// Lines of keepalived's config that begin with @ID count [default: the host's name up to its
    /// first dot]
    #[arg(short = 'i', long, value_name = "ID")]
    config_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogTo {
    Stderr,
    Syslog,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dialect {
    Keepalived,
    Nginx,
}

const KEEPALIVED_CONF: &str = "/etc/keepalived/keepalived.conf";
const NGINX_CONF: &str = "/etc/nginx/nginx.conf";
const PID_FILE: &str = "/run/evenkeel/evenkeel.pid";

pub(super) fn main(arguments: &[OsString]) -> ExitCode {
    // Processes inside a rehearsal: not for people, so clap knows nothing about it.
    if arguments.first().is_some_and(|argument| argument == "lab") {
        return lab::inside(arguments[1..].iter().cloned());
    }
    let program = std::iter::once(OsString::from("evenkeel"));
    let command = match Command::try_parse_from(program.chain(arguments.iter().cloned())) {
        Ok(command) => command,
        Err(error) => error.exit(),
    };
    if !matches!(command.what, What::Run { .. } | What::Rehearse(_)) {
        process::end_with_closed_output();
    }
    match command.what {
        What::Run { files, log, verbose } => with(files, |inputs| run(inputs, log, verbose)),
        What::Check { files, json, strict } => {
            with(files, |inputs| check::run(&inputs, json, strict))
        }
        What::Plan { files, json } => with(files, |inputs| inspect::plan(&inputs, json)),
        What::Directives { dialect, json } => {
            let dialect = dialect.map(|dialect| match dialect {
                Dialect::Keepalived => "keepalived",
                Dialect::Nginx => "nginx",
            });
            inspect::directives(dialect, json)
        }
        What::Rehearse(options) => lab::rehearse(&options),
    }
}

/// Files that were named have to be there; a default may be absent, but not both.
fn with(files: Files, run: impl FnOnce(Inputs) -> ExitCode) -> ExitCode {
    let named = files.keepalived.is_some() || files.nginx.is_some();
    let or_default = |file: Option<PathBuf>, default: &str| {
        file.or_else(|| (!named && Path::new(default).exists()).then(|| PathBuf::from(default)))
    };
    let keepalived = or_default(files.keepalived, KEEPALIVED_CONF);
    let nginx = or_default(files.nginx, NGINX_CONF);
    for file in [&keepalived, &nginx].into_iter().flatten() {
        let readable = std::fs::File::open(file).and_then(|file| match file.metadata()?.is_dir() {
            true => Err(std::io::ErrorKind::IsADirectory.into()),
            false => Ok(()),
        });
        if let Err(error) = readable {
            eprintln!("evenkeel: {}: {error}", file.display());
            return ExitCode::from(check::UNREADABLE);
        }
    }
    if keepalived.is_none() && nginx.is_none() {
        eprintln!("evenkeel: neither {KEEPALIVED_CONF} nor {NGINX_CONF} is there; see -k and -n");
        return ExitCode::from(check::UNREADABLE);
    }
    let nginx = nginx.map(|file| NginxInput {
        file: super::nginx::absolute(&file),
        prefix: PathBuf::from(super::nginx::PREFIX),
        ..NginxInput::default()
    });
    run(Inputs { keepalived, nginx, config_id: files.config_id })
}

fn run(inputs: Inputs, log: LogTo, verbose: bool) -> ExitCode {
    let settings = |name: &str| {
        let output = match log {
            LogTo::Stderr => Output::Stderr,
            LogTo::Syslog => Output::Syslog { facility: log::DAEMON },
        };
        let least = if verbose { LogLevel::Info } else { LogLevel::Notice };
        let name = match log {
            LogTo::Stderr => name.to_owned(),
            LogTo::Syslog => format!("evenkeel-{name}"),
        };
        Settings { voice: Voice::Evenkeel, outputs: vec![(output, least)], name }
    };
    let face = Face {
        kind: Kind::Evenkeel,
        // What scripts look for: `ps -ef | grep "nginx: master process"`, and
        // `pgrep -f /usr/sbin/keepalived`.
        stream: Appearance {
            title: "nginx: master process (evenkeel)".into(),
            arguments: Vec::new(),
            log: settings("stream"),
        },
        vrrp: Appearance {
            title: "/usr/sbin/keepalived".into(),
            arguments: Vec::new(),
            log: settings("vrrp"),
        },
        pid_file: Some(PID_FILE.into()),
        vrrp_pid_file: Some(super::keepalived::PID_FILE.into()),
        reload_file: "/run/keepalived.reload".into(),
        log: settings("supervisor"),
        mute: false,
        invocation: None,
        respawn: true,
    };
    if let Err(error) = log::configure(&face.log) {
        eprintln!("evenkeel: {error}");
        return ExitCode::FAILURE;
    }
    let loaded = match loading::first(&inputs, None) {
        Ok(loaded) => loaded,
        Err((name, error)) => {
            eprintln!("evenkeel: network namespace {name}: {error}");
            return ExitCode::FAILURE;
        }
    };
    loading::complain(&loaded);
    if loading::namespace().is_some() && inputs.nginx.is_some() {
        eprintln!(
            "evenkeel: keepalived.conf has net_namespace, and nginx.conf would be run in there, \
             too: start them one by one (-k FILE, -n FILE)"
        );
        return ExitCode::FAILURE;
    }
    let plan = match loaded.into_plan() {
        Some(plan) if plan.vrrp.is_some() || plan.stream.is_some() => plan,
        Some(_) => {
            eprintln!("evenkeel: there is nothing to run in these files");
            return ExitCode::FAILURE;
        }
        None => return ExitCode::FAILURE,
    };
    match Supervisor::prepare(face, plan, loading::again(inputs, Voice::Evenkeel), None) {
        Ok(supervisor) => supervisor.run(Launch::foreground()),
        Err(Refusal::Running { name, pid, file }) => {
            tracing::error!("{name} is already running: pid {pid} in {}", file.display());
            ExitCode::FAILURE
        }
        Err(Refusal::Listen(lines)) => {
            for line in lines {
                tracing::error!(level = "emerg", "{line}");
            }
            ExitCode::FAILURE
        }
    }
}
