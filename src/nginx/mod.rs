//! nginx's dialect: nginx.conf → typed config → Plan.
//!
//! Bytes become words in `token`, a tree with its includes in [`parse`], and are held against the
//! tables of [`directives`] in [`walk`], which fills the [`config`]. [`inherit`] checks `stream {}`
//! as a whole and [`lower`](lower()) makes the Plan. nginx refuses a config at its first error;
//! here all errors are reported, and the first one is nginx's. Read [`parse`] next.

pub mod access_log;
pub mod config;
pub mod definition;
pub mod directives;
mod dump;
mod foreign;
mod inherit;
mod listening;
mod lower;
mod parse;
mod preread;
mod resolver;
mod server_name;
mod template;
pub mod tls;
mod token;
mod upstream;
pub mod variable;
mod walk;

use std::path::{Path, PathBuf};

pub use config::NginxConfig;
pub use dump::dump;
pub use lower::lower;

use crate::host::Host;
use crate::text::{Diagnostics, FileId, Severity, SourceMap};

/// nginx.conf and what the command line says about it.
#[derive(Clone, Debug, Default)]
pub struct NginxInput {
    /// `-c`: relative to the prefix.
    pub file: PathBuf,
    /// The same as messages call it, where that is a path relative to the current folder.
    pub shown: Option<PathBuf>,
    /// `-p`: relative paths start here.
    pub prefix: PathBuf,
    /// `-g`: directives that count as standing in the main context.
    pub global: Option<String>,
    /// `-e`
    pub error_log: Option<PathBuf>,
}

/// Reads nginx.conf and all that it includes. Never panics; takes time linear in what is read.
///
/// Diagnostics stand in nginx's order: the first error is the one that nginx would stop at.
pub fn read(
    sources: &mut SourceMap,
    input: &NginxInput,
    host: &dyn Host,
) -> (NginxConfig, Diagnostics) {
    let path = input.prefix.join(&input.file);
    let folder = |of: &Path| of.parent().unwrap_or(Path::new("")).to_path_buf();
    let config_folder = folder(&path);
    let path = input.shown.clone().unwrap_or(path);
    let folder = folder(&path);
    let first_file = sources.files().len();
    let mut parser = parse::Parser::new(sources, host, folder);
    if let Some(text) = &input.global {
        parser.command_line(text);
    }
    parser.main_file(&path);
    let parsed = parser.parsed;
    let mut config = NginxConfig {
        folder: config_folder,
        prefix: input.prefix.clone(),
        hostname: host.hostname().to_ascii_lowercase(),
        error_log: input.error_log.clone(),
        files: (first_file..sources.files().len()).map(|at| FileId(at as u32)).collect(),
        ..NginxConfig::default()
    };
    let diagnostics = walk::Walk::run(&mut config, parsed, sources, host);
    if config.main.user.is_none() && host.is_root() {
        // nginx's default, so that nothing is run as root by omission.
        config.main.user = host.user("nobody", None);
    }
    config.refused = diagnostics.worst() >= Some(Severity::Error);
    (config, diagnostics)
}
