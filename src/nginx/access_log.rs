//! `log_format` and `access_log`, as typed and checked.

use std::collections::HashMap;
use std::path::PathBuf;

use bstr::BString;

use super::config::{NginxConfig, Settings};
use super::template::Names;
use crate::plan::access_log::{AccessLog, Buffer, Escape, Format, OpenFiles, Target};
use crate::plan::process::Syslog;
use crate::plan::template::{Part, Template};

/// `log_format`
#[derive(Clone, Debug)]
pub struct TypedFormat {
    pub escape: Escape,
    pub text: BString,
}

/// One `access_log`
#[derive(Clone, Debug)]
pub struct TypedLog {
    pub target: TypedTarget,
    pub format: BString,
    pub condition: Option<BString>,
}

#[derive(Clone, Debug)]
pub enum TypedTarget {
    File(PathBuf, Option<Buffer>),
    /// With variables; a relative one starts at the prefix.
    Path(BString),
    Syslog(Syslog),
}

/// What a level says of its logs.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// `access_log off`: whatever else is said here.
    pub off: bool,
    pub logs: Vec<TypedLog>,
    /// `open_log_file_cache`; `Some(None)`: off.
    pub open_files: Option<Option<OpenFiles>>,
}

impl Access {
    /// With what is inherited.
    pub(super) fn over(&self, outer: &Access) -> Access {
        let own = self.off || !self.logs.is_empty();
        let from = if own { self } else { outer };
        let logs = if from.off { Vec::new() } else { from.logs.clone() };
        Access { off: from.off, logs, open_files: self.open_files.or(outer.open_files) }
    }
}

/// The formats of a plan: each gets its place when a log first uses it.
#[derive(Debug, Default)]
pub(super) struct Formats {
    places: HashMap<BString, usize>,
    pub(super) formats: Vec<Format>,
}

impl Formats {
    pub(super) fn logs(
        &mut self,
        settings: &Settings,
        config: &NginxConfig,
        names: &mut Names<'_>,
    ) -> Vec<AccessLog> {
        let lower = |log: &TypedLog| AccessLog {
            target: match &log.target {
                TypedTarget::File(path, buffer) => {
                    Target::File { path: path.clone(), buffer: *buffer }
                }
                TypedTarget::Path(text) => Target::Path(path(text, config, names)),
                TypedTarget::Syslog(syslog) => Target::Syslog(syslog.clone()),
            },
            format: self.place(&log.format, config, names),
            condition: log.condition.as_ref().map(|text| names.template(text)),
        };
        settings.access.logs.iter().map(lower).collect()
    }

    fn place(&mut self, name: &BString, config: &NginxConfig, names: &mut Names<'_>) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let format = config
            .log_formats
            .get(name)
            .map(|typed| Format { escape: typed.escape, text: names.template(&typed.text) });
        self.formats.push(format.unwrap_or_default());
        self.places.insert(name.clone(), self.formats.len() - 1);
        self.formats.len() - 1
    }
}

fn path(text: &BString, config: &NginxConfig, names: &mut Names<'_>) -> Template {
    let mut template = names.template(text);
    if !text.starts_with(b"/") {
        let prefix = config.prefix.join("");
        let prefix = Part::Text(prefix.to_string_lossy().into_owned().into());
        template.parts.insert(0, prefix);
    }
    template
}
