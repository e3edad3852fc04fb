//! What a config's meaning depends on besides its text: files, interfaces, users, names.
//!
//! The dialects ask a [`Host`] instead of the system, so that fixtures and fuzzing can give them
//! one that never changes. [`ThisHost`] is the real one.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::plan::track::RunAs;

pub trait Host {
    /// The bytes of a file (config files, includes).
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Existing paths that match a shell pattern, sorted.
    fn glob(&self, pattern: &str) -> Vec<PathBuf>;
    /// Is there a network interface of this name?
    fn interface_exists(&self, name: &str) -> bool;
    /// Is there one of this name that isn't a virtual MAC interface (macvlan)?
    fn other_interface_exists(&self, name: &str) -> bool {
        self.interface_exists(name)
    }
    /// A user with its login group, or with the group named.
    fn user(&self, name: &str, group: Option<&str>) -> Option<RunAs>;
    /// All groups that a user is in, with the one given first.
    fn groups(&self, _name: &str, gid: u32) -> Vec<u32> {
        vec![gid]
    }
    /// The user that this process runs as.
    fn own_name(&self) -> String {
        "root".to_owned()
    }
    /// What is at a script's path.
    fn script(&self, path: &Path) -> ScriptFile;
    /// All addresses of a host name.
    fn resolve(&self, name: &str) -> Vec<IpAddr>;
    fn hostname(&self) -> String;
    /// Of the environment that the daemon was started in.
    fn environment(&self, name: &str) -> Option<String>;
    /// Are we root? Script security looks at it.
    fn is_root(&self) -> bool;
}

/// What is at a path that a config names as a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptFile {
    Missing,
    /// It is there, but not a file that may be executed.
    NotExecutable,
    Executable {
        /// Somebody else than root may write to it or to a folder above it, so that it must not
        /// be run as root where `enable_script_security` is on.
        insecure: bool,
    },
}

/// The host that this process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisHost;

impl Host for ThisHost {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        // As glob(3): `*` finds no hidden files.
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            require_literal_separator: true,
            ..glob::MatchOptions::default()
        };
        glob::glob_with(pattern, options).map(|paths| paths.flatten().collect()).unwrap_or_default()
    }

    fn interface_exists(&self, name: &str) -> bool {
        nix::net::if_::if_nametoindex(name).is_ok()
    }

    fn other_interface_exists(&self, name: &str) -> bool {
        if !self.interface_exists(name) {
            return false;
        }
        let links = crate::kernel::netlink::Netlink::open().and_then(|mut netlink| netlink.links());
        !links.is_ok_and(|links| links.iter().any(|link| link.name == name && link.is_macvlan))
    }

    fn user(&self, name: &str, group: Option<&str>) -> Option<RunAs> {
        let user = nix::unistd::User::from_name(name).ok()??;
        let gid = match group {
            Some(group) => nix::unistd::Group::from_name(group).ok()??.gid,
            None => user.gid,
        };
        Some(RunAs {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: gid.as_raw(),
            groups: Vec::new(),
        })
    }

    fn groups(&self, name: &str, gid: u32) -> Vec<u32> {
        let Ok(name) = std::ffi::CString::new(name) else { return vec![gid] };
        let groups = nix::unistd::getgrouplist(&name, nix::unistd::Gid::from_raw(gid));
        groups.map_or(vec![gid], |groups| groups.iter().map(|group| group.as_raw()).collect())
    }

    fn own_name(&self) -> String {
        let uid = nix::unistd::geteuid();
        let user = nix::unistd::User::from_uid(uid).ok().flatten();
        user.map_or_else(|| uid.to_string(), |user| user.name)
    }

    fn script(&self, path: &Path) -> ScriptFile {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let Ok(path) = path.canonicalize() else { return ScriptFile::Missing };
        let Ok(meta) = path.metadata() else { return ScriptFile::Missing };
        if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
            return ScriptFile::NotExecutable;
        }
        let others_may_write = |path: &Path| {
            path.metadata().is_ok_and(|meta| {
                let sticky_folder = meta.is_dir() && meta.mode() & 0o1000 != 0;
                let group = meta.gid() != 0 && meta.mode() & 0o020 != 0;
                let world = meta.mode() & 0o002 != 0;
                meta.uid() != 0 || (!sticky_folder && (group || world))
            })
        };
        ScriptFile::Executable { insecure: path.ancestors().any(others_may_write) }
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        use std::net::ToSocketAddrs;
        let mut addresses = Vec::new();
        for address in (name, 0).to_socket_addrs().into_iter().flatten() {
            if !addresses.contains(&address.ip()) {
                addresses.push(address.ip());
            }
        }
        addresses
    }

    fn hostname(&self) -> String {
        nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn is_root(&self) -> bool {
        nix::unistd::geteuid().is_root()
    }
}
