//! Values in /proc/sys.

use std::io;

use crate::runtime::handoff::Possession;

/// What stands there, without the end of the line.
pub(in crate::runtime) fn read(path: &str) -> io::Result<String> {
    Ok(std::fs::read_to_string(path)?.trim_end().to_owned())
}

/// An interface that has gone has taken its values along: no error.
pub(in crate::runtime) fn write(path: &str, value: &str) -> io::Result<()> {
    match std::fs::write(path, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Of one interface: `family` is `ipv4` or `ipv6`.
pub(in crate::runtime) fn path(family: &str, interface: &str, name: &str) -> String {
    format!("/proc/sys/net/{family}/conf/{interface}/{name}")
}

/// What has to be remembered before a value is changed; `None`: it needs no change.
pub(in crate::runtime) fn change(path: &str, value: &str) -> Option<Possession> {
    let before = read(path).ok().filter(|before| before != value)?;
    Some(Possession::Setting { path: path.to_owned(), before })
}
