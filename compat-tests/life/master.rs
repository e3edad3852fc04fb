//! A daemon that is started as people start nginx: in the background, known by its pid file. Which
//! program it is, nginx or Evenkeel, can be changed while it runs.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Nginx,
    Evenkeel,
}

impl Which {
    fn path(self) -> &'static str {
        match self {
            Which::Nginx => "/usr/sbin/nginx",
            Which::Evenkeel => env!("CARGO_BIN_EXE_evenkeel"),
        }
    }
}

pub(super) struct Master {
    folder: tempfile::TempDir,
    main: String,
}

/// A loopback address of this test process alone; `n` from 1.
pub(super) fn ip(n: u8) -> String {
    let pid = std::process::id();
    format!("127.{}.{}.{}", 1 + pid / 250 % 250, 1 + pid % 250, 10 + n)
}

impl Master {
    /// `main` is the main context, `stream` the block's inside. `DIR` in both is the folder.
    pub(super) fn start(which: Which, main: &str, stream: &str) -> Master {
        // Daemons whose parent has gone become children of this process, which buries them.
        nix::sys::prctl::set_child_subreaper(true).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let master = Master { folder, main: main.to_owned() };
        // A worker that isn't root writes its log, and goes to its folder, in here.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(master.folder.path(), mode).unwrap();
        master.install(which);
        master.configure(stream);
        let (code, said) = master.run(&[]);
        assert_eq!(code, 0, "{said}\n{}", master.log());
        assert!(wait_for(|| master.pid().is_some_and(|pid| !master.workers(pid).is_empty())));
        master
    }

    /// What lies at the program's path from now on.
    pub(super) fn install(&self, which: Which) {
        let (path, next) = (self.path("nginx"), self.path("next"));
        symlink(which.path(), &next).unwrap();
        std::fs::rename(next, path).unwrap();
    }

    pub(super) fn remove_program(&self) {
        std::fs::remove_file(self.path("nginx")).unwrap();
    }

    pub(super) fn configure(&self, stream: &str) {
        let folder = self.folder.path().display().to_string();
        let (main, stream) = (self.main.replace("DIR", &folder), stream.replace("DIR", &folder));
        let text = format!(
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
             pid {folder}/pid; error_log {folder}/error.log notice;\n{main}\n\
             stream {{ {stream} }}\n"
        );
        std::fs::write(self.path("nginx.conf"), text).unwrap();
    }

    pub(super) fn break_configuration(&self) {
        std::fs::write(self.path("nginx.conf"), "bogus;\n").unwrap();
    }

    /// Runs the program with `-p`, `-c` and these options; its exit code and what it said.
    pub(super) fn run(&self, options: &[&str]) -> (i32, String) {
        let folder = self.folder.path();
        let mut command = Command::new(self.path("nginx"));
        command.arg("-p").arg(folder).arg("-c").arg(self.path("nginx.conf"));
        command.arg("-e").arg(self.path("error.log")).args(options);
        command.env("LIFE", "kept").env("OTHER", "dropped");
        // The daemon may keep standard error: a pipe would never end.
        let said = self.path("stderr");
        command.stderr(std::fs::File::create(&said).unwrap());
        let status = command.stdout(std::process::Stdio::null()).status().unwrap();
        (status.code().unwrap_or(-1), std::fs::read_to_string(said).unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.path("error.log")).unwrap_or_default()
    }

    /// Waits until the log has `text`.
    pub(super) fn logs(&self, text: &str) {
        assert!(wait_for(|| self.log().contains(text)), "no {text:?} in\n{}", self.log());
    }

    pub(super) fn pid(&self) -> Option<i32> {
        read(&self.path("pid"))
    }

    pub(super) fn old_pid(&self) -> Option<i32> {
        read(&self.path("pid.oldbin"))
    }

    /// Waits for a master of another number than `old`, with workers.
    pub(super) fn next_pid(&self, old: i32) -> i32 {
        let next = || self.pid().filter(|pid| *pid != old && !self.workers(*pid).is_empty());
        assert!(wait_for(|| next().is_some()), "no new master:\n{}", self.log());
        next().unwrap()
    }

    /// Children of a master, without other masters.
    pub(super) fn workers(&self, master: i32) -> Vec<i32> {
        children(master).into_iter().filter(|pid| title(*pid).contains("worker process")).collect()
    }

    /// Masters and their children. The masters stand still: they would replace workers that are
    /// killed before them, by some that nobody would find after their own death.
    fn everyone(&self) -> Vec<i32> {
        let folder = self.folder.path().display().to_string();
        let masters: Vec<i32> = processes().filter(|pid| title(*pid).contains(&folder)).collect();
        for master in &masters {
            let _ = kill(Pid::from_raw(*master), Signal::SIGSTOP);
        }
        wait_for(|| masters.iter().all(|master| stands_still(*master)));
        masters
            .into_iter()
            .flat_map(|master| children(master).into_iter().chain([master]))
            .collect()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let left = self.everyone();
            for pid in &left {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
                let _ = waitpid(Pid::from_raw(*pid), Some(WaitPidFlag::WNOHANG));
            }
            if left.is_empty() || Instant::now() > until {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub(super) fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Waits until the process has ended.
pub(super) fn ends(pid: i32) {
    let gone = || {
        // It is ours to bury, once its last thread has gone.
        let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
        !Path::new(&format!("/proc/{pid}")).exists()
    };
    assert!(wait_for(gone), "{pid} doesn't end");
}

pub(super) fn wait_for(mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    condition()
}

/// As `ps` shows it.
pub(super) fn title(pid: i32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// Stopped, or gone.
fn stands_still(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, None | Some('T' | 'Z' | 'X'))
}

fn children(pid: i32) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let text = text.unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn read(path: &Path) -> Option<i32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
