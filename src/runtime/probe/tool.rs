//! `killall -0 NAME`, `pidof NAME` and `pgrep -x NAME`, answered without a fork.
//!
//! Each answers as the tool does (psmisc 23, sysvinit 3, procps 4, watched; `compat-tests/checks.rs`
//! holds them against each other), with one difference: a process that has ended and that nobody
//! has reaped counts as dead. The tools see it, so that a real pair doesn't fail over when the
//! proxy's parent doesn't look after its children.

use std::path::{Path, PathBuf};

use crate::kernel::proc::{Process, device_and_inode, processes};
use crate::plan::track::{ProcessTool, RunAs};

/// The kernel keeps this many bytes of a process's name.
const COMM: usize = 15;

/// Can the question be answered here? `pgrep` takes a regular expression, and only plain names are
/// matched without one.
pub fn answers(tool: ProcessTool, name: &str) -> bool {
    match tool {
        ProcessTool::Killall | ProcessTool::Pidof => !name.starts_with('-'),
        ProcessTool::Pgrep => {
            !name.is_empty()
                && !name.starts_with('-')
                && !name.contains(|byte: char| r"\^$.[]|()*+?{}".contains(byte))
        }
    }
}

/// The living processes that the tool would name, run as `user` (`None`: as this process).
/// The tool's exit code is 0 if there are any, else 1.
pub fn find(tool: ProcessTool, name: &str, user: Option<&RunAs>) -> Vec<Process> {
    let question = Question::new(tool, name, user);
    processes()
        .unwrap_or_default()
        .into_iter()
        .filter(|process| !process.is_dead() && question.is_about(process))
        .collect()
}

/// Is this living process one of those?
pub fn finds(tool: ProcessTool, name: &str, user: Option<&RunAs>, process: &Process) -> bool {
    !process.is_dead() && Question::new(tool, name, user).is_about(process)
}

/// What is asked, with what doesn't depend on the process.
enum Question<'a> {
    KillallName(&'a [u8], Asker),
    /// By the file, so that links of all kinds name the same program.
    KillallFile(Option<(u64, u64)>, Asker),
    PidofName(&'a [u8]),
    PidofPath {
        given: &'a Path,
        real: PathBuf,
        asker: Asker,
    },
    Pgrep(&'a [u8]),
}

impl<'a> Question<'a> {
    fn new(tool: ProcessTool, name: &'a str, user: Option<&RunAs>) -> Self {
        let asker = Asker::new(user);
        match tool {
            ProcessTool::Killall if name.contains('/') => {
                Question::KillallFile(device_and_inode(Path::new(name)), asker)
            }
            ProcessTool::Killall => Question::KillallName(name.as_bytes(), asker),
            ProcessTool::Pidof if name.starts_with('/') => {
                let given = Path::new(name);
                let real = given.canonicalize().unwrap_or_else(|_| given.to_owned());
                Question::PidofPath { given, real, asker }
            }
            ProcessTool::Pidof => Question::PidofName(name.as_bytes()),
            ProcessTool::Pgrep => Question::Pgrep(name.as_bytes()),
        }
    }

    fn is_about(&self, process: &Process) -> bool {
        match self {
            Question::KillallName(name, asker) => {
                // Arguments only matter where the kernel may have cut the name.
                let arguments = || process.arguments();
                killall_name(name, &process.comm, arguments) && asker.may_signal(process)
            }
            Question::KillallFile(wanted, asker) => {
                wanted.is_some()
                    && asker.may_inspect(process)
                    && process.program_file() == *wanted
                    && asker.may_signal(process)
            }
            Question::PidofName(name) => {
                !is_zombie(process) && pidof_name(name, &process.comm, process.arguments().first())
            }
            Question::PidofPath { given, real, asker } => {
                let named = || {
                    let given = given.as_os_str().as_encoded_bytes();
                    pidof_name(given, &process.comm, process.arguments().first())
                };
                !is_zombie(process)
                    && if asker.may_inspect(process) {
                        process.program().is_some_and(|program| program == *real)
                    } else {
                        named()
                    }
            }
            Question::Pgrep(name) => process.comm == *name,
        }
    }
}

/// Whose rights count.
struct Asker {
    /// `None`: root, who may do everything.
    user: Option<(u32, u32)>,
}

impl Asker {
    fn new(user: Option<&RunAs>) -> Self {
        let (uid, gid) = match user {
            Some(user) => (user.uid, user.gid),
            None => (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw()),
        };
        Asker { user: (uid != 0).then_some((uid, gid)) }
    }

    /// kill(2): real or saved user id are ours.
    fn may_signal(&self, process: &Process) -> bool {
        self.user.is_none_or(|(uid, _)| {
            process.ids().is_some_and(|ids| ids.real_uid == uid || ids.saved_uid == uid)
        })
    }

    /// ptrace(2), "Ptrace access mode checking": all ids are ours.
    fn may_inspect(&self, process: &Process) -> bool {
        self.user.is_none_or(|(uid, gid)| {
            process.ids().is_some_and(|ids| {
                [ids.real_uid, ids.effective_uid, ids.saved_uid] == [uid; 3]
                    && [ids.real_gid, ids.effective_gid, ids.saved_gid] == [gid; 3]
            })
        })
    }
}

/// `pidof` looks at no process whose first thread has ended, even if others run on.
fn is_zombie(process: &Process) -> bool {
    process.state == b'Z'
}

/// A name of 15 bytes may be a longer one's beginning: the first argument whose file name begins
/// with it tells the rest. Where none does, the first 15 bytes have to be enough.
fn killall_name(name: &[u8], comm: &[u8], arguments: impl FnOnce() -> Vec<Vec<u8>>) -> bool {
    if comm.len() < COMM {
        return comm == name;
    }
    let arguments = arguments();
    let whole = arguments.iter().map(|word| file_name(word)).find(|word| word.starts_with(comm));
    match whole {
        Some(whole) => whole == name,
        None => &name[..name.len().min(COMM)] == comm,
    }
}

/// The first argument, whole or its file name (a name with a folder: an argument without one). A
/// title that the process gave itself (there is a space in it) or no argument at all: the kernel's
/// name counts too.
fn pidof_name(name: &[u8], comm: &[u8], first: Option<&Vec<u8>>) -> bool {
    let first = first.map(Vec::as_slice).unwrap_or_default();
    let base = file_name(name);
    let same = if base == name { file_name(first) == name } else { first == base };
    (!first.is_empty() && (first == name || same))
        || (first.is_empty() || first.contains(&b' ')) && comm == base
}

fn file_name(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => &path[slash + 1..],
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn killall_completes_names_that_the_kernel_cut() {
        let comm = b"a-very-long-nam";
        let whole = || words(&["/bin/sh", "/opt/a-very-long-name-indeed"]);
        assert!(killall_name(b"a-very-long-name-indeed", comm, whole));
        assert!(!killall_name(b"a-very-long-nam", comm, whole));
        assert!(!killall_name(b"a-very-long-name-other", comm, whole));
        let unknown = || words(&["other"]);
        assert!(killall_name(b"a-very-long-name-other", comm, unknown));
        assert!(killall_name(b"a-very-long-nam", comm, unknown));
        assert!(!killall_name(b"a-very-long-na", comm, unknown));
        assert!(!killall_name(b"other", comm, unknown));
    }

    #[test]
    fn pidof_sees_through_titles() {
        let title = b"nginx: master process /usr/sbin/nginx".to_vec();
        assert!(pidof_name(b"nginx", b"nginx", Some(&title)));
        assert!(!pidof_name(b"nginx:", b"nginx", Some(&title)));
        let plain = b"/usr/bin/python3".to_vec();
        assert!(pidof_name(b"python3", b"renamed", Some(&plain)));
        assert!(!pidof_name(b"renamed", b"renamed", Some(&plain)));
        assert!(pidof_name(b"kthreadd", b"kthreadd", None));
    }

    #[test]
    fn regular_expressions_are_left_to_pgrep() {
        assert!(answers(ProcessTool::Pgrep, "nginx"));
        assert!(!answers(ProcessTool::Pgrep, "ngin."));
        assert!(answers(ProcessTool::Killall, "mysql.d"));
        assert!(!answers(ProcessTool::Pidof, "-x"));
    }
}
