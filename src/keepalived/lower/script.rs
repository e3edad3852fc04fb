//! Commands: which file would run, as whom, and whether that is safe.

use std::path::{Path, PathBuf};

use super::super::command::recognise;
use super::super::config::{Command, Globals, Script, User};
use crate::host::{Host, ScriptFile};
use crate::plan::track::{Check, RunAs, TrackScript};
use crate::plan::vrrp::NotifyScript;
use crate::text::{Diagnostic, Diagnostics, Severity, Span};

/// The user whom keepalived takes for scripts where nobody is named, if there is one.
const DEFAULT_USER: &str = "keepalived_script";

/// Where commands without a path are looked for where the environment says nothing.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const NO_SHELL: &str = "commands run without a shell; shell syntax belongs into a script file";

const SECURITY: &str =
    "`enable_script_security` in global_defs keeps root from running what others may write to";

/// Why a `vrrp_script` isn't run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallen {
    /// It is as if it weren't in the config: a line that tracks it is wrong.
    Removed,
    /// Lines that track it are left out without a word.
    Disabled,
}

/// Decides about all commands of one config.
pub(super) struct Scripts<'a> {
    host: &'a dyn Host,
    secure: bool,
    /// `script_user`, resolved.
    user: Option<RunAs>,
    /// `set_supplementary_groups`
    supplementary_groups: bool,
    /// Some command runs as root.
    as_root: Option<Span>,
    /// And others than root may change it.
    insecure: bool,
    /// That the default user isn't there was said.
    told_default: bool,
    /// So does a startup or shutdown script.
    outer_as_root: bool,
}

impl<'a> Scripts<'a> {
    pub(super) fn new(
        globals: &Globals,
        host: &'a dyn Host,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let users = globals.script_users.iter().filter_map(|user| {
            let found = resolve(host, user, globals.telling.supplementary_groups);
            if found.is_none() {
                diagnostics.push(nobody_there(host, user));
                let message = "Error setting global script uid/gid";
                let diagnostic = Diagnostic::error("keepalived/user", message);
                diagnostics.push(diagnostic.label(user.span, nobody(user)));
            }
            found
        });
        let user = users.last();
        let user = user.or_else(|| host.user(DEFAULT_USER, None));
        Scripts {
            host,
            secure: globals.script_security.is_some(),
            user,
            supplementary_groups: globals.telling.supplementary_groups,
            as_root: None,
            insecure: false,
            told_default: !globals.script_users.is_empty(),
            outer_as_root: false,
        }
    }

    /// A `vrrp_script`. Error: it isn't run, which was said.
    pub(super) fn check(
        &mut self,
        script: &Script,
        diagnostics: &mut Diagnostics,
    ) -> Result<TrackScript, Fallen> {
        let name = &script.name.value;
        let Some(command) = &script.command else {
            let message = format!("No script set for vrrp_script {name} - removing");
            let diagnostic = Diagnostic::error("keepalived/script", message).at(script.end);
            diagnostics.push(diagnostic.label(script.name.span, "the script"));
            return Err(Fallen::Removed);
        };
        let user = match &script.user {
            Some(user) => match self.resolve(user) {
                Some(user) => Some(user),
                None => {
                    diagnostics.push(nobody_there(self.host, user));
                    let quoted = command.argv.iter().map(|word| format!("'{word}'"));
                    let quoted = quoted.collect::<Vec<_>>().join(" ");
                    let message = format!("Unable to set uid/gid for script {quoted}");
                    let diagnostic = Diagnostic::error("keepalived/user", message);
                    diagnostics.push(diagnostic.label(user.span, nobody(user)));
                    return Err(Fallen::Removed);
                }
            },
            None if self.secure && self.user.is_none() => {
                if self.tell_default(diagnostics) {
                    let message = format!("Unable to set default user {DEFAULT_USER} for script");
                    let diagnostic = Diagnostic::error("keepalived/user", message);
                    diagnostics.push(diagnostic.at(script.end));
                }
                let message =
                    format!("Unable to set default user for vrrp script {name} - removing");
                let help = format!(
                    "with enable_script_security there has to be a user `{DEFAULT_USER}`, a \
                     script_user, or a user in the script"
                );
                let diagnostic = Diagnostic::error("keepalived/user", message);
                let diagnostic = diagnostic.at(script.end).label(script.name.span, "the script");
                diagnostics.push(diagnostic.help(help));
                return Err(Fallen::Removed);
            }
            None => {
                self.tell_default(diagnostics);
                self.user.clone()
            }
        };
        let check = match recognise(command.argv.clone()) {
            Check::Command { argv } => {
                let what = format!("track script {name}");
                let argv = self.executable(argv, &user, Some(&what), command.span, diagnostics);
                let argv = argv.ok_or(Fallen::Disabled)?;
                Check::Command { argv }
            }
            known => {
                self.note_tool(known.argv(), &user, command.span, diagnostics);
                known
            }
        };
        self.note_root(&user, command.span);
        let interval =
            script.interval.as_ref().map_or(std::time::Duration::from_secs(1), |at| at.value);
        let weight = script.weight.as_ref().map(|at| at.value).unwrap_or_default();
        Ok(TrackScript {
            name: name.clone(),
            check,
            interval,
            timeout: script.timeout.as_ref().map(|at| at.value),
            weight: weight.value,
            reverse: weight.reverse,
            rise: script.rise.as_ref().map_or(1, |at| at.value),
            fall: script.fall.as_ref().map_or(1, |at| at.value),
            init_fail: script.init_fail.is_some(),
            user,
            span: script.name.span,
        })
    }

    /// A notify script. `None`: it isn't run, which was said.
    pub(super) fn notify(
        &mut self,
        command: &Command,
        diagnostics: &mut Diagnostics,
    ) -> Option<NotifyScript> {
        self.command("notify script", command, diagnostics)
    }

    /// The reader of a FIFO. `None`: it isn't run, which was said.
    pub(super) fn fifo_script(
        &mut self,
        keyword: &str,
        command: &Command,
        diagnostics: &mut Diagnostics,
    ) -> Option<NotifyScript> {
        self.command(keyword, command, diagnostics)
    }

    fn command(
        &mut self,
        what: &str,
        command: &Command,
        diagnostics: &mut Diagnostics,
    ) -> Option<NotifyScript> {
        let user = match &command.user {
            Some(user) => match self.resolve(user) {
                Some(user) => Some(user),
                None => {
                    diagnostics.push(nobody_there(self.host, user));
                    let message = format!(
                        "Invalid user/group for {what} {} - ignoring",
                        command.argv.join(" ")
                    );
                    let diagnostic = Diagnostic::warning("keepalived/user", message);
                    let help = "what stands behind the command is whom it runs as; its arguments \
                                belong into its quotes";
                    diagnostics.push(diagnostic.label(user.span, nobody(user)).help(help));
                    return None;
                }
            },
            None => {
                self.tell_default(diagnostics);
                self.user.clone()
            }
        };
        let argv = command.argv.clone();
        let argv = self.executable(argv, &user, None, command.span, diagnostics)?;
        self.note_root(&user, command.span);
        Some(NotifyScript { argv, user, span: command.span })
    }

    /// What is to be said about all scripts of checkers together.
    pub(super) fn finish_checks(self, diagnostics: &mut Diagnostics) {
        if self.as_root.is_some() && !self.secure {
            let message = "SECURITY VIOLATION - check scripts are being executed but \
                           script_security not enabled.";
            let diagnostic = Diagnostic::warning("keepalived/script-security", message);
            diagnostics.push(diagnostic.help(SECURITY));
        }
    }

    /// What is to be said about all of them together. Without instances nothing of theirs is run.
    pub(super) fn finish(self, instances: bool, diagnostics: &mut Diagnostics) {
        let help = SECURITY;
        if self.outer_as_root && !self.secure {
            let message = "SECURITY VIOLATION - start/shutdown scripts are being executed but \
                           script_security not enabled.";
            diagnostics.push(Diagnostic::warning("keepalived/script-security", message).help(help));
        }
        if let Some(span) = self.as_root.filter(|_| instances && !self.secure) {
            let mut message =
                "SECURITY VIOLATION - scripts are being executed but script_security not enabled."
                    .to_owned();
            if self.insecure {
                message.push_str(" There are insecure scripts.");
            }
            // No place: keepalived names none, and it is about the whole file.
            let _ = span;
            diagnostics.push(Diagnostic::warning("keepalived/script-security", message).help(help));
        }
    }

    /// Says once that scripts of nobody's run as this process does, or not at all; whether this was
    /// the time.
    fn tell_default(&mut self, diagnostics: &mut Diagnostics) -> bool {
        if self.user.is_some() || std::mem::replace(&mut self.told_default, true) {
            return false;
        }
        let message = format!("Script user '{DEFAULT_USER}' does not exist");
        let help = "`script_user` in global_defs says whom scripts run as";
        diagnostics.push(Diagnostic::new(Severity::Note, "keepalived/user", message).help(help));
        true
    }

    fn note_root(&mut self, user: &Option<RunAs>, span: Span) {
        let root = user.as_ref().map_or(self.host.is_root(), |user| user.uid == 0);
        if root {
            self.as_root.get_or_insert(span);
        }
    }

    /// The command with the full path of its file, if that may be run. `tracked`: keepalived
    /// counts what is wrong with such a script as an error, and names it.
    fn executable(
        &mut self,
        mut argv: Vec<String>,
        user: &Option<RunAs>,
        tracked: Option<&str>,
        span: Span,
        diagnostics: &mut Diagnostics,
    ) -> Option<Vec<String>> {
        if argv[0].starts_with('<') {
            // `script "</dev/tcp/127.0.0.1/80"` of keepalived's samples: such a line goes to a
            // shell, though few shells make anything of it.
            return Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), argv.join(" ")]);
        }
        let root = user.as_ref().map_or(self.host.is_root(), |user| user.uid == 0);
        let shown = argv[0].clone();
        let file = match self.path(&shown, user) {
            Some(path) => {
                argv[0] = path.to_string_lossy().into_owned();
                if argv[0] != shown {
                    diagnostics.push(resolved(&shown, &argv[0], span));
                }
                self.host.script(&path, user.as_ref())
            }
            None => ScriptFile::Missing,
        };
        let (message, because, help) = match file {
            ScriptFile::Executable { insecure } if insecure && root => {
                let stops = if self.secure { " - disabling" } else { "" };
                let message = format!("Unsafe permissions found for script '{}'{stops}.", argv[0]);
                let help = "somebody else than root may write to it or to a folder above it";
                if !self.secure {
                    self.insecure = true;
                    let diagnostic = Diagnostic::warning("keepalived/script", message).at(span);
                    diagnostics.push(diagnostic.help(help));
                    return Some(argv);
                }
                (message, Some("due to insecure"), help)
            }
            ScriptFile::Executable { .. } => return Some(argv),
            ScriptFile::NotExecutable => {
                let (uid, gid) = user.as_ref().map_or((0, 0), |user| (user.uid, user.gid));
                let message = format!(
                    "WARNING - script '{shown}' is not executable for uid:gid {uid}:{gid} - \
                     disabling."
                );
                // To keepalived's -t it is a script like others.
                self.note_root(user, span);
                (message, None, "whom it runs as may not execute it")
            }
            ScriptFile::WrongType => {
                self.note_root(user, span);
                let message = format!("Wrong file type found in script path '{shown}'.");
                (message, Some("due to insecure"), "it is no file")
            }
            ScriptFile::Missing if !shown.contains('/') => (
                format!("Cannot find script {shown} in path - disabling"),
                Some("since not found/accessible"),
                NO_SHELL,
            ),
            ScriptFile::Missing => {
                let why = "No such file or directory";
                let message = format!("Script {shown} cannot be accessed - {why}");
                (message, Some("since not found/accessible"), NO_SHELL)
            }
            ScriptFile::Inaccessible(why) => {
                let message = format!("Script {shown} cannot be accessed - {why}");
                let help = "whom it runs as can't get there";
                (message, Some("since not found/accessible"), help)
            }
        };
        let diagnostic = Diagnostic::warning("keepalived/script", message).at(span).help(help);
        diagnostics.push(diagnostic);
        if let (Some(what), Some(because)) = (tracked, because) {
            let message = format!("Disabling {what} {because}");
            diagnostics.push(Diagnostic::error("keepalived/script", message).at(span));
        }
        None
    }

    /// keepalived finds these tools, too, before it would run them.
    fn note_tool(&self, argv: &[String], user: &Option<RunAs>, span: Span, out: &mut Diagnostics) {
        if let Some(path) = self.path(&argv[0], user).map(|it| it.to_string_lossy().into_owned())
            && path != argv[0]
        {
            out.push(resolved(&argv[0], &path, span));
        }
    }

    /// `startup_script` or `shutdown_script`. `None`: it isn't run, which was said.
    pub(super) fn outer(
        &mut self,
        which: &str,
        command: &Command,
        diagnostics: &mut Diagnostics,
    ) -> Option<NotifyScript> {
        let invalid = || Diagnostic::error("keepalived/script", format!("Invalid {which} script"));
        let user = match &command.user {
            Some(user) => {
                let found = self.resolve(user);
                if found.is_none() {
                    diagnostics.push(invalid().label(user.span, nobody(user)));
                    return None;
                }
                found
            }
            None if self.secure && self.user.is_none() => {
                let help = format!("there has to be a user `{DEFAULT_USER}` or a script_user");
                diagnostics.push(invalid().at(command.span).help(help));
                return None;
            }
            None => self.user.clone(),
        };
        let as_root = std::mem::take(&mut self.as_root);
        let argv = self.executable(command.argv.clone(), &user, None, command.span, diagnostics);
        if argv.is_some() {
            self.note_root(&user, command.span);
        }
        self.outer_as_root |= self.as_root.is_some();
        self.as_root = as_root;
        Some(NotifyScript { argv: argv?, user, span: command.span })
    }

    pub(super) fn resolve(&self, user: &User) -> Option<RunAs> {
        resolve(self.host, user, self.supplementary_groups)
    }

    /// Whom scripts run as where nobody is named.
    pub(super) fn default_user(&self) -> Option<&RunAs> {
        self.user.as_ref()
    }

    /// The file that a command's first word means. (2.2.7 finds none for others than root: it
    /// can't become them twice, and disables the script.)
    fn path(&self, word: &str, user: &Option<RunAs>) -> Option<PathBuf> {
        if word.contains('/') {
            return Some(PathBuf::from(word));
        }
        let folders = self.host.environment("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
        let mut paths = folders.split(':').map(|folder| Path::new(folder).join(word));
        let runs = |path: &PathBuf| {
            matches!(self.host.script(path, user.as_ref()), ScriptFile::Executable { .. })
        };
        paths.find(runs)
    }
}

/// What keepalived says of a command without a path.
fn resolved(word: &str, path: &str, span: Span) -> Diagnostic {
    let message = format!(
        "WARNING - script `{word}` resolved by path search to `{path}`. Please specify full path."
    );
    Diagnostic::warning("keepalived/script", message).at(span)
}

/// A group of `:GROUP` or `:` asks for the user's supplementary groups, as does `supplementary`.
fn resolve(host: &dyn Host, user: &User, supplementary: bool) -> Option<RunAs> {
    let asked = user.group.as_deref().and_then(|group| group.strip_prefix(':'));
    let group = asked.or(user.group.as_deref()).filter(|group| !group.is_empty());
    let mut found = host.user(&user.name, group)?;
    if supplementary || asked.is_some() {
        found.groups = host.groups(&found.name, found.gid);
    }
    Some(found)
}

/// As keepalived says it, before it says whose it is.
fn nobody_there(host: &dyn Host, user: &User) -> Diagnostic {
    let group = user.group.as_deref().filter(|_| host.user(&user.name, None).is_some());
    let message = match group {
        Some(group) => format!("Script group '{}' does not exist", group.trim_start_matches(':')),
        None => format!("Script user '{}' does not exist", user.name),
    };
    Diagnostic::new(Severity::Note, "keepalived/user", message)
}

pub(super) fn nobody(user: &User) -> String {
    match &user.group {
        Some(group) => format!("there is no user `{}` or no group `{group}`", user.name),
        None => format!("there is no user `{}`", user.name),
    }
}
