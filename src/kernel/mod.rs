//! Linux, as far as Evenkeel needs it: sockets, netlink, processes, namespaces.
//!
//! Nothing in here knows VRRP or nginx. All `unsafe` code of the package is in this folder, each
//! place with its reason; what `nix`, `socket2` and `rtnetlink` wrap safely is used through them.
//! Read [`netlink`] and [`raw`] for the network, [`proc`] for processes.

pub mod alarm;
pub mod arp;
pub mod channel;
pub mod connector;
pub mod fifo;
pub mod file;
pub mod inherited;
pub mod inotify;
pub mod link_beat;
mod link_frame;
pub mod local_time;
pub mod memory;
pub mod namespace;
pub mod neighbour;
pub mod netlink;
pub mod nftables;
pub mod openssl;
pub mod proc;
pub mod process;
pub mod raw;
pub mod ready;
pub mod scheduling;
pub mod sender;
pub mod sysctl;
pub mod tcp;
pub mod udp;
