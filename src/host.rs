//! What a config's meaning depends on besides its text: files, interfaces, users, names.
//!
//! The dialects ask a [`Host`] instead of the system, so that fixtures and fuzzing can give them
//! one that never changes. [`ThisHost`] is the real one.

use std::fs::Metadata;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::kernel::netlink::{Link, Netlink};
use crate::plan::track::RunAs;

pub trait Host {
    /// The bytes of a file (config files, includes).
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Existing paths that match a shell pattern, sorted.
    fn glob(&self, pattern: &str) -> Vec<PathBuf>;

    /// Is it anything but a plain file that nobody may execute?
    fn is_program_or_device(&self, _path: &Path) -> bool {
        false
    }
    /// Is there a network interface of this name?
    fn interface_exists(&self, name: &str) -> bool;
    /// Is there one of this name that isn't a virtual MAC interface (macvlan)?
    fn other_interface_exists(&self, name: &str) -> bool {
        self.interface_exists(name)
    }
    /// How long a packet may be there, in bytes; `None`: there is no such interface.
    fn mtu(&self, _interface: &str) -> Option<u32> {
        None
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
    /// What is at a script's path, for somebody who would run it (`None`: this process).
    fn script(&self, path: &Path, user: Option<&RunAs>) -> ScriptFile;
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
    /// The same for this user, and why.
    Inaccessible(&'static str),
    /// A folder or a device.
    WrongType,
    /// It is there, but this user may not execute it.
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

    fn is_program_or_device(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|meta| {
            !meta.is_dir() && (!meta.is_file() || meta.permissions().mode() & 0o111 != 0)
        })
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
        // The kernel takes an alias (`eth0:1`) for its interface, where keepalived finds none.
        !name.contains(':') && nix::net::if_::if_nametoindex(name).is_ok()
    }

    fn other_interface_exists(&self, name: &str) -> bool {
        if !self.interface_exists(name) {
            return false;
        }
        !link(name).is_some_and(|link| link.is_macvlan)
    }

    fn mtu(&self, interface: &str) -> Option<u32> {
        link(interface).map(|link| link.mtu)
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

    fn script(&self, path: &Path, user: Option<&RunAs>) -> ScriptFile {
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) => return unreachable(&error),
        };
        let runner = Runner::new(user);
        let searched = |folder: &Path| folder.metadata().is_ok_and(|it| runner.may_execute(&it));
        if !real.ancestors().skip(1).all(searched) {
            return ScriptFile::Inaccessible(Errno::EACCES.desc());
        }
        let meta = match real.metadata() {
            Ok(meta) => meta,
            Err(error) => return unreachable(&error),
        };
        if !meta.is_file() {
            return ScriptFile::WrongType;
        }
        if !runner.may_execute(&meta) {
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
        ScriptFile::Executable { insecure: real.ancestors().any(others_may_write) }
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

/// What the kernel says of an interface.
fn link(name: &str) -> Option<Link> {
    let links = Netlink::open().and_then(|mut netlink| netlink.links()).ok()?;
    links.into_iter().find(|link| link.name == name)
}

fn unreachable(error: &io::Error) -> ScriptFile {
    match error.raw_os_error().map(Errno::from_raw) {
        None | Some(Errno::ENOENT) => ScriptFile::Missing,
        Some(errno) => ScriptFile::Inaccessible(errno.desc()),
    }
}

/// Whoever would run a script.
struct Runner<'a> {
    uid: u32,
    gid: u32,
    groups: &'a [u32],
}

impl<'a> Runner<'a> {
    fn new(user: Option<&'a RunAs>) -> Self {
        match user {
            Some(RunAs { uid, gid, groups, .. }) => Runner { uid: *uid, gid: *gid, groups },
            None => Runner {
                uid: nix::unistd::geteuid().as_raw(),
                gid: nix::unistd::getegid().as_raw(),
                groups: &[],
            },
        }
    }

    /// Of a folder: search it. By owner, group and others; access control lists aren't asked.
    fn may_execute(&self, meta: &Metadata) -> bool {
        let in_group = || meta.gid() == self.gid || self.groups.contains(&meta.gid());
        let bits = match self.uid {
            // Root searches everything, and executes what anybody may.
            0 if meta.is_dir() => return true,
            0 => 0o111,
            uid if uid == meta.uid() => 0o100,
            _ if in_group() => 0o010,
            _ => 0o001,
        };
        meta.mode() & bits != 0
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_script_is_looked_at_with_the_eyes_of_whoever_runs_it() {
        let folder = tempfile::tempdir().unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(folder.path(), 0o755);
        let file = folder.path().join("check");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        let meta = file.metadata().unwrap();
        let user = |uid, gid| RunAs { name: "x".into(), uid, gid, groups: vec![7] };
        let (owner, mate) = (user(meta.uid(), 65534), user(65533, meta.gid()));
        let (other, root) = (user(65533, 65533), user(0, 0));
        let seen = |mode, who: &RunAs| {
            set(&file, mode);
            ThisHost.script(&file, Some(who))
        };
        let runs = |mode, who: &RunAs| matches!(seen(mode, who), ScriptFile::Executable { .. });
        assert!(runs(0o700, &owner) && runs(0o010, &root) && runs(0o711, &other));
        if meta.uid() != 0 {
            assert_eq!(seen(0o011, &owner), ScriptFile::NotExecutable);
        }
        assert!(runs(0o710, &mate) && !runs(0o701, &mate) && !runs(0o710, &other));
        assert_eq!(seen(0o644, &root), ScriptFile::NotExecutable);
        assert_eq!(ThisHost.script(folder.path(), None), ScriptFile::WrongType);
        let at = |name: &str, who: &RunAs| ThisHost.script(&folder.path().join(name), Some(who));
        assert_eq!(at("nowhere", &root), ScriptFile::Missing);
        assert_eq!(at("check/x", &root), ScriptFile::Inaccessible("Not a directory"));
        set(&file, 0o755);
        set(folder.path(), 0o700);
        assert_eq!(at("check", &other), ScriptFile::Inaccessible("Permission denied"));
        assert!(matches!(at("check", &root), ScriptFile::Executable { .. }));
    }
}
