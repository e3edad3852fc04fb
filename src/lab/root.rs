//! The root folder of a node: the host's, with a few paths of its own.
//!
//! It lives in memory. Where a folder holds nothing of the node's own it is a link to the host's
//! (read-only, under `/.host`); folders on the way to an own path are woven from both.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::kernel::namespace;

/// What a path is on the node.
#[derive(Clone, Debug)]
pub(super) enum Own {
    /// A folder in which nothing of the host's is seen.
    Folder {
        mode: u32,
    },
    File {
        bytes: Vec<u8>,
        executable: bool,
    },
    Link(PathBuf),
    /// This program.
    Program,
    /// Isn't there, though the host has it.
    Nothing,
}

/// Own paths of a node, and how the rest comes from the host.
#[derive(Clone, Debug, Default)]
pub(super) struct Root {
    own: BTreeMap<PathBuf, Own>,
}

/// Where the host's root is seen on a node.
pub(super) const HOST: &str = "/.host";

/// Folders that any Linux has and that nothing here needs while a root is being built.
const PLACES: [&str; 4] = ["/mnt", "/media", "/srv", "/tmp"];

impl Root {
    pub(super) fn put(&mut self, path: impl Into<PathBuf>, own: Own) {
        self.own.insert(path.into(), own);
    }

    pub(super) fn folder(&mut self, path: &str, mode: u32) {
        self.put(path, Own::Folder { mode });
    }

    /// Builds the root and moves the calling thread's mount namespace (which must be new) into it.
    pub(super) fn enter(&self) -> io::Result<()> {
        namespace::keep_mounts_private()?;
        let program = std::env::current_exe()?;
        let free = |place: &&&str| Path::new(place).is_dir() && !program.starts_with(place);
        let place = PLACES.iter().find(free).ok_or_else(|| {
            io::Error::new(ErrorKind::NotFound, "none of /mnt, /media, /srv and /tmp can be used")
        })?;
        let at = Path::new(place);
        namespace::mount_memory(at, "mode=755,size=256m")?;
        let host = under(at, Path::new(HOST));
        std::fs::create_dir(&host)?;
        namespace::bind(Path::new("/"), &host)?;
        namespace::make_read_only(&host)?;
        self.weave(Path::new("/"), at)?;
        for (path, own) in &self.own {
            create(&under(at, path), own, &program)
                .map_err(|error| io::Error::new(error.kind(), format!("{path:?}: {error}")))?;
        }
        namespace::change_root(at)
    }

    /// Fills `folder` with what the host has there, except where the node has its own.
    fn weave(&self, folder: &Path, at: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if self.own.contains_key(&path) || path == Path::new(HOST) {
                continue;
            }
            let kind = entry.file_type()?;
            let target = under(at, &path);
            if kind.is_symlink() {
                symlink(std::fs::read_link(&path)?, target)?;
            } else if kind.is_dir() && self.owns_below(&path) {
                std::fs::create_dir(target)?;
                self.weave(&path, at)?;
            } else {
                symlink(under(Path::new(HOST), &path), target)?;
            }
        }
        Ok(())
    }

    fn owns_below(&self, folder: &Path) -> bool {
        self.own.keys().any(|path| path != folder && path.starts_with(folder))
    }
}

fn create(target: &Path, own: &Own, program: &Path) -> io::Result<()> {
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match own {
        Own::Folder { mode } => {
            match std::fs::DirBuilder::new().mode(*mode).create(target) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            // The mode above was cut by the umask.
            std::fs::set_permissions(target, PermissionsExt::from_mode(*mode))
        }
        Own::File { bytes, executable } => {
            std::fs::write(target, bytes)?;
            let mode = if *executable { 0o755 } else { 0o644 };
            std::fs::set_permissions(target, PermissionsExt::from_mode(mode))
        }
        Own::Link(to) => symlink(to, target),
        Own::Program => {
            std::fs::write(target, b"")?;
            // A program that was replaced since it started has no path any more, but its bytes.
            namespace::bind(program, target)
                .or_else(|_| std::fs::copy("/proc/self/exe", target).map(drop))
        }
        Own::Nothing => Ok(()),
    }
}

fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
