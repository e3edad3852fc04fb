//! Config files are read beside the supervisor's loop, with what keepalived does around it:
//! `reload_file` is there meanwhile, `config_save_dir` gets a copy, `reload_check_config` holds
//! back what has errors.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Fresh, Load};
use crate::plan::Plan;
use crate::plan::vrrp_process::{Check, Reload};

/// How to read, by the plan in force.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// There while files are read.
    marker: Option<PathBuf>,
    check: Option<Check>,
}

impl Reading {
    pub(super) fn new(reload: &Reload, marker: &Path) -> Reading {
        let path = |it: &crate::plan::vrrp_process::Marker| {
            it.path.clone().unwrap_or_else(|| marker.to_owned())
        };
        Reading { marker: reload.marker.as_ref().map(path), check: reload.check.clone() }
    }

    /// Says what keepalived says before it begins.
    pub(super) fn announce(&self) {
        if self.check.is_some() {
            tracing::info!("validate conf before Reload");
        }
    }

    pub(super) fn read(&self, load: &Load) -> Fresh {
        if let Some(marker) = &self.marker {
            complain(marker, std::fs::write(marker, b""));
        }
        let mut fresh = load();
        if let Some(marker) = &self.marker {
            complain(marker, std::fs::remove_file(marker));
        }
        save(&fresh.plan, &fresh.copy);
        if let Some(check) = &self.check
            && !fresh.sound
        {
            fresh.plan = None;
            let message = match &check.log {
                None => "New config failed validation".to_owned(),
                Some(path) => {
                    let lines = fresh.messages.drain(..).map(|(_, line)| line + "\n");
                    complain(path, write_private(path, lines.collect::<String>().as_bytes()));
                    format!("New config failed validation, see {} for details", path.display())
                }
            };
            fresh.messages.push((crate::plan::process::LogLevel::Error, message));
        }
        fresh
    }
}

fn complain(path: &Path, result: io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!("{}: {error}", path.display());
    }
}

/// `config_save_dir`: one more copy of what was read, for the plan that says so.
pub fn save(plan: &Option<Plan>, copy: &[u8]) {
    static COPIES: AtomicU32 = AtomicU32::new(0);
    let vrrp = plan.as_ref().and_then(|plan| plan.vrrp.as_ref());
    let Some(folder) = vrrp.and_then(|vrrp| vrrp.process.reload.save.as_ref()) else { return };
    let made = std::fs::DirBuilder::new().mode(0o700).create(folder);
    let made = made.or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    });
    if let Err(error) = made {
        tracing::error!("Unable to create config_save_dir {}: {error}", folder.display());
        return;
    }
    let number = COPIES.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("keepalived.conf.{}.{number}", std::process::id()));
    complain(&path, write_private(&path, copy));
}

/// Configs hold secrets, and so may what is said about them.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
}
