//! Files in folders that others may write to.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Makes `path` a new file with this content and mode. It is there at once and
/// whole; a link at that place (whoever planted it) is replaced, never followed.
///
/// # Errors
/// What was there stays then; so does what is no file (`/dev/null`).
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let (name, folder) = match (path.file_name(), path.parent()) {
        (Some(name), Some(folder)) => (name.to_string_lossy(), folder),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    if let Ok(there) = std::fs::symlink_metadata(path)
        && !(there.is_file() || there.is_symlink())
    {
        return Err(io::Error::other("that is no file"));
    }
    // A name that nobody can guess, opened with O_EXCL and mode 0600.
    let (descriptor, draft) = nix::unistd::mkstemp(&folder.join(format!(".{name}.XXXXXX")))?;
    let mut file = File::from(descriptor);
    let draft = Draft(Some(draft));
    // mkstemp(3)'s mode goes through the umask.
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    drop(file);
    draft.publish(path)
}

/// No room, or no descriptors: what may be otherwise later, whoever asks.
pub fn is_shortage(error: &io::Error) -> bool {
    let shortages = [libc::ENOSPC, libc::EDQUOT, libc::EMFILE, libc::ENFILE, libc::ENOMEM];
    error.raw_os_error().is_some_and(|number| shortages.contains(&number))
}

/// Goes, unless it was published.
struct Draft(Option<PathBuf>);

impl Draft {
    fn publish(mut self, path: &Path) -> io::Result<()> {
        if let Some(draft) = &self.0 {
            std::fs::rename(draft, path)?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(draft) = &self.0 {
            // Nothing more can be done about it.
            let _ = std::fs::remove_file(draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(replace(&path, b"dump", 0o600).is_err());
        assert!(!std::fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nor is anything left");
    }

    #[test]
    fn a_planted_link_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, path) = (folder.path().join("victim"), folder.path().join("dump"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        replace(&path, b"one", 0o600).unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        assert!(metadata.is_file());
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "no draft stays");
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_leaves_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump");
        std::fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"one", 0o600).is_err());
        assert!(path.is_dir());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
