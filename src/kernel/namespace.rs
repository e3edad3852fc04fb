//! Namespaces, mounts and root folders: what a process needs to live in a world of its own.
//!
//! Everything made with these calls lives only as long as a process in it: nothing is given a
//! name in a file system, so that nothing can be left behind.

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, chdir, getegid, geteuid, pivot_root};

/// The namespaces of a whole host: network, mounts, names, IPC, and processes for the children.
///
/// Source: namespaces(7).
pub const HOST: CloneFlags = CloneFlags::CLONE_NEWNET
    .union(CloneFlags::CLONE_NEWNS)
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWPID);

/// A network of its own and nothing else.
pub const NETWORK: CloneFlags = CloneFlags::CLONE_NEWNET;

/// Moves the calling thread into new namespaces. A new process namespace is for its children: the
/// first one is its PID 1, and when that ends the kernel kills all that live in it.
pub fn enter(flags: CloneFlags) -> io::Result<()> {
    Ok(unshare(flags)?)
}

/// Moves the process into a new user namespace in which the caller is root, for those who aren't.
/// The process must have one thread only.
///
/// Source: user_namespaces(7): `setgroups` has to be denied before the group map may be written.
pub fn become_root_in_user_namespace() -> io::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(())
}

/// Moves the calling thread into the network namespace of this name (ip-netns(8)).
pub fn enter_network(name: &str) -> io::Result<()> {
    if name.is_empty() || name.contains('/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = std::fs::File::open(Path::new("/run/netns").join(name))?;
    Ok(setns(file, CloneFlags::CLONE_NEWNET)?)
}

/// From here on this process and its children see the folder `what` at `at`, too; nobody else
/// does. Mounts that the host makes later are still seen. The process must have one thread only.
pub fn show_at(what: &Path, at: &Path) -> io::Result<()> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)?;
    Ok(mount(Some(what), at, none, MsFlags::MS_BIND, none)?)
}

/// The end of [`show_at`].
pub fn show_no_longer(at: &Path) -> io::Result<()> {
    Ok(umount2(at, MntFlags::MNT_DETACH)?)
}

/// Are all ids of the host known here? Not so in a user namespace that maps only its founder.
pub fn knows_all_ids() -> bool {
    let root_only = |map: &str| {
        let lengths = map.lines().filter_map(|line| line.split_whitespace().nth(2));
        lengths.filter_map(|length| length.parse::<u64>().ok()).sum::<u64>() <= 1
    };
    !std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| root_only(&map))
}

/// From here on the kernel kills this process when the thread that started it ends.
pub fn die_with_parent() -> io::Result<()> {
    Ok(prctl::set_pdeathsig(Signal::SIGKILL)?)
}

/// Mounts made from here on stay unknown outside.
pub fn keep_mounts_private() -> io::Result<()> {
    let none = None::<&str>;
    Ok(mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?)
}

/// An empty file system in memory; `options` as in tmpfs(5).
pub fn mount_memory(at: &Path, options: &str) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID;
    Ok(mount(Some("tmpfs"), at, Some("tmpfs"), flags, Some(options))?)
}

/// What `/proc` shows is the caller's process namespace.
pub fn mount_proc() -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    Ok(mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)?)
}

/// What `/sys/class/net` shows is the caller's network namespace.
pub fn mount_sys() -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    Ok(mount(Some("sysfs"), "/sys", Some("sysfs"), flags, None::<&str>)?)
}

/// Shows the file or the tree at `source` at `at` too.
pub fn bind(source: &Path, at: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    Ok(mount(Some(source), at, None::<&str>, flags, None::<&str>)?)
}

/// Makes the mount at `at` read-only (not those below it).
pub fn make_read_only(at: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    let none = None::<&str>;
    match mount(none, at, none, flags, none) {
        // In a user namespace the flags that the mount came with can't be changed; there the
        // caller has no more rights on it than it had outside.
        Err(Errno::EPERM) => Ok(()),
        done => Ok(done?),
    }
}

/// The mount at `new` becomes the root folder of this mount namespace; the old one is let go.
///
/// Source: pivot_root(2), "pivot_root(".", ".")".
pub fn change_root(new: &Path) -> io::Result<()> {
    chdir(new)?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(chdir("/")?)
}

/// Is the caller root, as far as the kernel is concerned?
pub fn is_root() -> bool {
    geteuid() == Uid::from_raw(0) && getegid() == Gid::from_raw(0)
}
