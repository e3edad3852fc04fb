//! What `nginx -T` prints: every file that was read, once, in the order of reading.

use std::collections::HashSet;

use super::config::NginxConfig;
use super::parse::COMMAND_LINE;
use crate::text::SourceMap;

/// The dump's bytes, in the layout of the real program.
pub fn dump(sources: &SourceMap, config: &NginxConfig) -> Vec<u8> {
    let mut printed = HashSet::new();
    let mut out = Vec::new();
    for file in config.files.iter().filter_map(|id| sources.file(*id)) {
        if file.path.as_os_str() == COMMAND_LINE || !printed.insert(&file.path) {
            continue;
        }
        out.extend_from_slice(b"# configuration file ");
        out.extend_from_slice(file.path.as_os_str().as_encoded_bytes());
        out.extend_from_slice(b":\n");
        out.extend_from_slice(&file.bytes);
        out.push(b'\n');
    }
    out
}
