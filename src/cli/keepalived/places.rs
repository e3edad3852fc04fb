//! Where run files are and what log lines are called: by option, instance and network namespace.

use std::path::{Path, PathBuf};

use super::asked::Asked;
use crate::kernel::namespace;
use crate::plan::process::LogLevel;
use crate::plan::vrrp_process::VrrpProcess;
use crate::runtime::log::{self, Output, Settings, Voice};

/// The parent's, and what tools look for.
pub(in crate::cli) const PID_FILE: &str = "/run/keepalived.pid";
/// The vrrp process's, as Debian's package has it.
pub(super) const VRRP_PID_FILE: &str = "/run/vrrp.pid";
/// Of several daemons on one host.
const FOLDER: &str = "/run/keepalived";

/// Where this daemon's run files are.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) pid_file: PathBuf,
    pub(super) vrrp_pid_file: PathBuf,
    /// `reload_file` without a path.
    pub(super) reload_file: PathBuf,
    /// What is behind `/run/keepalived` for this daemon's processes only.
    behind: Option<PathBuf>,
}

impl Places {
    /// `namespace`: the one that this process is in by option or config.
    pub(super) fn new(asked: &Asked, process: &VrrpProcess, namespace: Option<&str>) -> Places {
        let separate = namespace.is_some() || process.instance.is_some() || process.pid_dir;
        let folder = Path::new(if separate { FOLDER } else { "/run" });
        let suffix = process.instance.as_ref().map(|it| format!("_{it}")).unwrap_or_default();
        let default = |name: &str| folder.join(format!("{name}{suffix}.pid"));
        Places {
            pid_file: asked.pid.clone().unwrap_or_else(|| default("keepalived")),
            vrrp_pid_file: asked.vrrp_pid.clone().unwrap_or_else(|| default("vrrp")),
            reload_file: folder.join("keepalived.reload"),
            behind: namespace.map(|name| Path::new(FOLDER).join(name)),
        }
    }

    /// In a network namespace: what this process and its children see at `/run/keepalived` is a
    /// folder in it, so that daemons in several namespaces keep apart (keepalived(8),
    /// "NAMESPACES").
    pub(super) fn prepare(&self) -> std::io::Result<()> {
        let Some(behind) = &self.behind else { return Ok(()) };
        std::fs::create_dir_all(behind)?;
        namespace::show_at(behind, Path::new(FOLDER))
    }

    /// Folders that are empty by now go.
    pub(super) fn clean(&self) {
        if let Some(behind) = &self.behind {
            // Where it was mounted nothing else hangs on it.
            let _ = namespace::show_no_longer(Path::new(FOLDER));
            let _ = std::fs::remove_dir(behind);
        }
        if self.pid_file.starts_with(FOLDER) {
            // Another daemon may have its files there.
            let _ = std::fs::remove_dir(FOLDER);
        }
    }
}

/// `NAME_NAMESPACE_INSTANCE`, what syslog shows.
pub(super) fn ident(name: &str, process: &VrrpProcess, namespace: Option<&str>) -> String {
    let parts = [namespace, process.instance.as_deref()];
    parts.into_iter().flatten().fold(name.to_owned(), |name, part| format!("{name}_{part}"))
}

/// `-l`, `-g` and syslog go together, as keepalived has it.
pub(super) fn settings(asked: &Asked, name: String, infix: Option<&str>) -> Settings {
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
    Settings { voice: Voice::Keepalived, outputs, name }
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
    fn log_files_of_the_vrrp_process_have_a_name_of_their_own() {
        let path = |file: &str| with_infix(Path::new(file), "_vrrp");
        assert_eq!(path("/var/log/k.log"), Path::new("/var/log/k_vrrp.log"));
        assert_eq!(path("/var/log/k"), Path::new("/var/log/k_vrrp"));
    }

    /// As keepalived 2.2.7 was seen to do.
    #[test]
    fn run_files_of_several_daemons_keep_apart() {
        let places = |instance: Option<&str>, pid_dir, namespace| {
            let instance = instance.map(str::to_owned);
            let process = VrrpProcess { instance, pid_dir, ..VrrpProcess::default() };
            let places = Places::new(&Asked::default(), &process, namespace);
            [places.pid_file, places.vrrp_pid_file].map(|path| path.to_str().unwrap().to_owned())
        };
        assert_eq!(places(None, false, None), [PID_FILE, VRRP_PID_FILE]);
        let in_folder = ["/run/keepalived/keepalived.pid", "/run/keepalived/vrrp.pid"];
        assert_eq!(places(None, true, None), in_folder);
        assert_eq!(places(None, false, Some("blue")), in_folder);
        let named = ["/run/keepalived/keepalived_foo.pid", "/run/keepalived/vrrp_foo.pid"];
        assert_eq!(places(Some("foo"), false, None), named);
        let process = VrrpProcess { instance: Some("b".to_owned()), ..VrrpProcess::default() };
        assert_eq!(ident("Keepalived", &process, Some("n")), "Keepalived_n_b");
    }
}
