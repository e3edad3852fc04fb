//! What `-v` and `-h` print.

use std::ffi::OsStr;

use super::CONF;
use super::places::{PID_FILE, VRRP_PID_FILE};
use crate::runtime::version;

pub(super) fn say_version() {
    eprintln!("{}\n", version::KEEPALIVED);
    if let Ok(name) = nix::sys::utsname::uname() {
        let part = |part: &OsStr| part.to_string_lossy().into_owned();
        eprintln!("Running on {} {}\n", part(name.sysname()), part(name.release()));
    }
    // Exporters and playbooks look for words in these two lines before they ask for more.
    eprintln!("configure options: --enable-dbus --enable-nftables --enable-json\n");
    eprintln!("Config options:  NFTABLES VRRP VRRP_AUTH VRRP_VMAC JSON OLD_CHKSUM_COMPAT DBUS\n");
}

pub(super) fn say_help() {
    eprintln!(
        "Usage: keepalived [OPTION...]
  -f, --use-file=FILE          Configuration file (default {CONF})
  -i, --config-id=ID           What @ID lines are compared with (default: the host's name)
  -t, --config-test[=FILE]     Only check the configuration; complaints go to FILE or stderr
  -e, --all-config             A missing configuration file is an error
  -n, --dont-fork              Stay in the foreground
  -l, --log-console            Log to standard error, too
  -D, --log-detail             Log more
  -S, --log-facility=FACILITY  Of syslog: 0 to 7, local0 to local7, user or daemon (default)
  -g, --log-file=FILE          Log to FILE, too (_vrrp is added for the vrrp process)
  -G, --no-syslog              Don't log to syslog
  -d, --dump-conf              Log what will run
  -p, --pid=FILE               Pid file of the parent (default {PID_FILE})
  -r, --vrrp_pid=FILE          Pid file of the vrrp process (default {VRRP_PID_FILE})
  -R, --dont-respawn           A child that dies isn't started again
  -u, --umask=MASK             For files that are created
  -m, --core-dump              Allow core dumps
  -M, --core-dump-pattern[=P]  The same, and sets the kernel's core_pattern while this runs
  -s, --namespace=NAME         Run in this network namespace
  -V, --dont-release-vrrp      Leave the virtual addresses at the end
  -X, --release-vips           That they go when a router ceases to be master, as they always do
  -a, --address-monitoring     Log every address that comes or goes
  -P, --vrrp                   Only VRRP (all there is so far)
      --signum=NAME            Print the signal for STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON
  -x, --snmp                   Be an SNMP agent's subagent
  -A, --snmp-agent-socket=S    Where that agent listens
  -v, --version                Print the version
  -h, --help                   Print this

Accepted, and without effect so far, which is said:
  -C, --check                  Only health checkers: they don't run yet
  -I, --dont-release-ipvs      Leave IPVS at the end: it isn't touched yet
  -c, --checkers_pid=FILE      Pid file of a checker process that isn't there yet
  -b, --bfd_pid=FILE           Pid file of a BFD process that isn't there yet
      --all                    Run all of these processes
Accepted:
  -B, --no_bfd                 No BFD process: there is none
      --flush-log-file         Every line of a log file is written at once anyway
Refused:
  -T, --genhash                A program of its own: `curl -s URL | md5sum` computes the same"
    );
}
