//! Three faces: `evenkeel`, `keepalived`, `nginx`.

use std::process::ExitCode;

/// Picks the face by the name that the program was called by.
pub fn main() -> ExitCode {
    eprintln!("evenkeel: not built yet");
    ExitCode::from(2)
}
