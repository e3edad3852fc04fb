//! One play of a case with one program, in a network of its own.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use evenkeel::kernel::namespace;
use evenkeel::kernel::netlink::Netlink;

use crate::proxy::program::Which;

use super::case::Case;
use super::client::Client;
use super::crowd::Crowd;
use super::dns::Dns;
use super::plain::Known;
use super::program::{Program, Real};
use super::server::Server;
use super::tls::Kept;
use super::verdict::Observed;
use super::{program, step, words};

/// Ports that the kernel picks, so that they can be told from those that a case names.
pub(super) const EPHEMERAL: std::ops::RangeInclusive<u16> = 50_000..=59_999;

/// Everything that the steps of one play work on.
pub(super) struct World {
    pub(super) which: Which,
    /// The program's prefix, `DIR` in a case.
    pub(super) folder: tempfile::TempDir,
    pub(super) configs: BTreeMap<String, String>,
    pub(super) clients: BTreeMap<String, Client>,
    pub(super) crowds: BTreeMap<String, Crowd>,
    pub(super) servers: BTreeMap<String, Server>,
    pub(super) name_servers: BTreeMap<String, Dns>,
    /// In the foreground.
    pub(super) program: Option<Program>,
    /// A master that went into the background.
    pub(super) daemon: Option<u32>,
    pub(super) known: Known,
    /// Small file systems in the prefix.
    pub(super) disks: Vec<PathBuf>,
    /// Of TLS.
    pub(super) kept: Kept,
}

/// What a case is played with.
#[derive(Clone, Copy)]
pub(super) enum Player {
    Real(&'static Real),
    Evenkeel,
}

impl Player {
    fn which(self) -> Which {
        match self {
            Self::Real(_) => Which::Nginx,
            Self::Evenkeel => Which::Evenkeel,
        }
    }
}

impl std::fmt::Display for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Real(real) => write!(f, "nginx {}", real.version),
            Self::Evenkeel => f.write_str("Evenkeel"),
        }
    }
}

/// Plays it from its first step to its last.
///
/// # Errors
/// A step that couldn't be done, which is not the same as one that shows something else.
pub(super) fn play(case: &Case, player: Player) -> Result<Vec<Observed>, String> {
    let act = || {
        let own = namespace::NETWORK.union(nix::sched::CloneFlags::CLONE_NEWNS);
        let entered = namespace::enter(own).and_then(|()| namespace::keep_mounts_private());
        entered.map_err(|error| format!("a network: {error}"))?;
        let mut world = World::new(case, player).map_err(|error| error.to_string())?;
        let played = world.play(case);
        // Whatever the case left running goes before the network does.
        world.servers.clear();
        world.name_servers.clear();
        world.clients.clear();
        world.crowds.clear();
        let ended = world.program.take().map_or(Ok(()), Program::end);
        end_all_here();
        let log = world.read("error.log");
        for disk in std::mem::take(&mut world.disks) {
            let _ = nix::mount::umount2(&disk, nix::mount::MntFlags::MNT_DETACH);
        }
        let log = String::from_utf8_lossy(&log);
        match played.and_then(|seen| ended.map(|()| seen)) {
            Ok(_) if log.contains("panicked") => Err(format!("it panicked:\n{log}")),
            Ok(seen) => Ok(seen),
            Err(why) => Err(format!("{why}\n    its error log:\n{log}")),
        }
    };
    // Only this thread, and what it starts, is in the new network.
    let joined = std::thread::scope(|scope| scope.spawn(act).join());
    let played = joined.unwrap_or_else(|_| Err("the play panicked".into()));
    played.map_err(|why| format!("  {player}: {why}\n"))
}

impl World {
    fn new(case: &Case, player: Player) -> std::io::Result<World> {
        Netlink::open()?.raise_link(1)?;
        let (first, last) = EPHEMERAL.into_inner();
        let range = format!("{first} {last}");
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", range)?;
        let folder = tempfile::Builder::new().prefix("evenkeel-stream-").tempdir()?;
        // The workers aren't root.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        let program = match player {
            Player::Real(real) => real.program.as_path(),
            Player::Evenkeel => Path::new(program::EVENKEEL),
        };
        program::give_name(program, folder.path())?;
        let known = Known::new(folder.path(), &pki());
        let mut world = World {
            which: player.which(),
            folder,
            configs: BTreeMap::new(),
            clients: BTreeMap::new(),
            crowds: BTreeMap::new(),
            servers: BTreeMap::new(),
            name_servers: BTreeMap::new(),
            program: None,
            daemon: None,
            known,
            disks: Vec::new(),
            kept: Kept::default(),
        };
        let config = |text: &str| match player {
            Player::Real(real) => {
                world.fill(text).replace(program::MODULES, &real.modules.display().to_string())
            }
            Player::Evenkeel => world.fill(text),
        };
        for (name, text) in &case.files {
            let path = world.path(name);
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            std::fs::write(path, config(text))?;
        }
        world.configs =
            case.configs.iter().map(|(name, text)| (name.clone(), config(text))).collect();
        Ok(world)
    }

    fn play(&mut self, case: &Case) -> Result<Vec<Observed>, String> {
        let mut all = Vec::new();
        for text in &case.steps {
            let filled = self.fill(text);
            let taken = words::split(&filled).and_then(|words| step::take(self, &words));
            let seen = taken.map_err(|why| format!("{text}: {why}"))?;
            let seen = seen.iter().map(|line| self.known.plain(line)).collect();
            all.push(Observed { step: text.clone(), seen });
        }
        Ok(all)
    }

    /// `name` in the program's prefix.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is in a file by now; nothing if it isn't there.
    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_default()
    }

    /// With `DIR` and `PKI` replaced.
    fn fill(&self, text: &str) -> String {
        let folder = self.folder.path().display().to_string();
        words::fill(&words::fill(text, "DIR", &folder), "PKI", &pki().display().to_string())
    }
}

/// Where the keys and certificates are.
fn pki() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(super::CASES).join("pki")
}

/// Kills every process in this thread's network: daemons that went into the background, above all.
fn end_all_here() {
    let network = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
    let here = network("thread-self");
    let Ok(processes) = std::fs::read_dir("/proc") else { return };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    for pid in pids.filter(|it| it.parse::<u32>().is_ok_and(|it| it != std::process::id())) {
        if here.is_some()
            && network(&pid) == here
            && let Ok(pid) = pid.parse()
        {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
}
