//! OpenSSL's errors as nginx writes them: `(SSL: error:0A0000B9:SSL routines::no cipher match)`.

use std::io;
use std::path::Path;

use openssl::error::ErrorStack;

/// Bit of an error's code that says that the rest is an errno.
const SYSTEM: u64 = 0x8000_0000;

/// `SSL: error:…:…::… error:…`
pub fn all(stack: &ErrorStack) -> String {
    let mut text = "SSL:".to_owned();
    for error in stack.errors() {
        let code = error.code();
        text += &format!(" error:{code:08X}:");
        if code & SYSTEM == 0 {
            let library = error.library().unwrap_or("unknown library");
            text += &format!("{library}::{}", error.reason().unwrap_or("unknown reason"));
        } else {
            let reason = nix::errno::Errno::from_raw((code & !SYSTEM) as i32).desc();
            text += &format!("system library::{reason}");
        }
        if let Some(data) = error.data().filter(|data| !data.is_empty()) {
            text += &format!(":{data}");
        }
    }
    text
}

/// What OpenSSL says of a file that it can't open.
pub fn unreadable(path: &Path, error: &io::Error) -> String {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    let reason = nix::errno::Errno::from_raw(errno).desc();
    let verdict = match errno {
        libc::ENOENT | libc::ENXIO => "error:10000080:BIO routines::no such file",
        _ => "error:10080002:BIO routines::system lib",
    };
    let (code, path) = (SYSTEM | errno as u64, path.display());
    format!("SSL: error:{code:08X}:system library::{reason}:calling fopen({path}, r) {verdict}")
}
