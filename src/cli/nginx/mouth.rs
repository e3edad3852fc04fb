//! What nginx says before its configuration's error log is open.

use std::path::PathBuf;

use nix::sys::resource::{Resource, getrlimit};

use super::ERROR_LOG;
use crate::cli::loading;
use crate::load::NginxInput;
use crate::plan::process::LogLevel;
use crate::runtime::log::{self, Output, Settings, Voice};
use crate::runtime::version;
use crate::text::{Diagnostic, SourceMap};

/// How nginx speaks before its configuration's error log is open: to standard error as
/// `nginx: [level] …`, and to the error log of the command line with time and pid. Where that log
/// is standard error, only the latter.
pub(super) struct Mouth {
    pub(super) settings: Settings,
    /// Standard error is the log.
    only_log: bool,
}

/// What nginx says of itself and the host when it starts.
pub(super) fn introduce() {
    tracing::info!("using the \"epoll\" event method");
    tracing::info!("{}", version::NGINX);
    if let Ok(host) = nix::sys::utsname::uname() {
        let (system, release) = (host.sysname(), host.release());
        tracing::info!("OS: {} {}", system.to_string_lossy(), release.to_string_lossy());
    }
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        tracing::info!("getrlimit(RLIMIT_NOFILE): {soft}:{hard}");
    }
}

impl Mouth {
    pub(super) fn open(inputs: &NginxInput) -> Mouth {
        let path = inputs.error_log.clone().unwrap_or_else(|| PathBuf::from(ERROR_LOG));
        let mut only_log = path.as_os_str() == "stderr";
        let output = if only_log { Output::Stderr } else { Output::File(path) };
        let mut settings = Settings {
            voice: Voice::Nginx,
            outputs: vec![(output, LogLevel::Notice)],
            name: "nginx".to_owned(),
        };
        if let Err(error) = log::configure(&settings) {
            eprintln!("nginx: [alert] could not open error log file: {error}");
            settings.outputs = vec![(Output::Stderr, LogLevel::Notice)];
            // There is nothing to open.
            only_log = log::configure(&settings).is_ok();
        }
        Mouth { settings, only_log }
    }

    pub(super) fn say(&self, level: LogLevel, text: &str) {
        let level_name = log::word(level);
        if !self.only_log && level >= LogLevel::Warn {
            eprintln!("nginx: [{level_name}] {text}");
        }
        tracing::error!(level = level_name, "{text}");
    }

    pub(super) fn complain<'a>(
        &self,
        sources: &SourceMap,
        diagnostics: impl IntoIterator<Item = &'a Diagnostic>,
    ) {
        for diagnostic in diagnostics {
            for line in loading::lines(sources, diagnostic, Voice::Nginx) {
                self.say(loading::level(diagnostic), &line);
            }
        }
    }
}
