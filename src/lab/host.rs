//! The hosts: each has a thread that lives in the host's network namespace.
//!
//! A balancer is a host in full: its thread also makes it a root folder and process, mount, IPC
//! and name namespaces, starts PID 1 there, and then watches the kernel's announcements of
//! addresses coming and going. Web servers and the client are the threads themselves.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, sync_channel};
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt};
use nix::sched::CloneFlags;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::sys::SocketAddr;
use rtnetlink::{MulticastGroup, new_multicast_connection};
use tokio::runtime::{Builder, Runtime};

use super::client::{self, Faces};
use super::init::{Answer, Order};
use super::record::{Observation, Seen};
use super::root::{self, Own, Root};
use super::switch::{self, Netlink, Socket};
use super::topology::{Balancer, Client, Cluster, Daemon, Web};
use super::{Doing, Failure, Outcome, web};
use crate::kernel::namespace;

/// Longer than any order may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// A balancer, as the stage sees it.
#[derive(Debug)]
pub(super) struct Node {
    pub name: String,
    /// The switch's end of its cable.
    pub port: String,
    orders: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Node {
    pub(super) fn order(&mut self, order: &Order) -> Outcome<Answer> {
        let doing = format_args!("{} doesn't answer", self.name);
        let mut line = serde_json::to_vec(order).doing(doing)?;
        line.push(b'\n');
        self.orders.write_all(&line).doing(doing)?;
        let mut line = String::new();
        self.answers.read_line(&mut line).doing(doing)?;
        match serde_json::from_str(&line).doing(doing)? {
            Answer::Failed(why) => Err(Failure(format!("{}: {why}", self.name))),
            answer => Ok(answer),
        }
    }
}

/// Builds a balancer; its daemons don't run yet.
pub(super) fn balancer(
    cluster: &Cluster,
    index: usize,
    observations: Sender<Observation>,
) -> Outcome<Node> {
    let host = cluster.balancers[index].clone();
    let (prefix, watched) = (cluster.prefix, cluster.virtual_address);
    let root = node_root(&host);
    let name = host.name.clone();
    raise(&name, namespace::HOST, move |switch| {
        let port = format!("port-{index}");
        let socket = Socket {
            port: port.clone(),
            interface: &host.interface,
            address: host.address,
            prefix,
        };
        switch::connect(&switch, &socket)?;
        nix::unistd::sethostname(&host.name).doing("cannot name a host")?;
        let watch = Watch::open()?;
        root.enter().doing(format_args!("cannot build the root folder of {}", host.name))?;
        let (orders, far_end) = UnixStream::pair().doing("cannot make a socket")?;
        start_init(far_end)?;
        orders.set_read_timeout(Some(PATIENCE)).doing("cannot set up a socket")?;
        let answers = BufReader::new(orders.try_clone().doing("cannot set up a socket")?);
        let node = Node { name: host.name, port, orders, answers };
        Ok((node, move || watch.run(index, watched, &observations)))
    })
}

pub(super) fn web_server(host: &Web, index: usize, prefix: u8) -> Outcome<()> {
    let host = host.clone();
    let name = host.name.clone();
    raise(&name, namespace::NETWORK, move |switch| {
        let port = format!("web-{index}");
        let socket = Socket { port, interface: "eth0", address: host.address, prefix };
        switch::connect(&switch, &socket)?;
        let runtime = runtime()?;
        let listener = runtime.block_on(web::listen(host.port))?;
        Ok(((), move || runtime.block_on(web::serve(listener, host.name))))
    })
}

/// The client asks from now on.
pub(super) fn client(
    client: &Client,
    prefix: u8,
    faces: Faces,
    observations: Sender<Observation>,
) -> Outcome<()> {
    let client = client.clone();
    raise("client", namespace::NETWORK, move |switch| {
        let port = "client".to_owned();
        let socket = Socket { port, interface: "eth0", address: client.address, prefix };
        switch::connect(&switch, &socket)?;
        let runtime = runtime()?;
        Ok(((), move || runtime.block_on(client::ask_on(client, faces, observations))))
    })
}

/// Starts a thread, moves it to new namespaces, builds something there, and lets it live on.
/// `build` gets a line to the switch's network namespace.
fn raise<T, Life>(
    name: &str,
    flags: CloneFlags,
    build: impl FnOnce(Netlink) -> Outcome<(T, Life)> + Send + 'static,
) -> Outcome<T>
where
    T: Send + 'static,
    Life: FnOnce(),
{
    let (ready, built) = sync_channel(1);
    let body = move || {
        let built = Netlink::open().and_then(|switch| {
            namespace::enter(flags).doing("cannot make namespaces")?;
            build(switch)
        });
        // Nobody waits any more only if the stage is ending.
        match built {
            Ok((value, live)) => {
                let _ = ready.send(Ok(value));
                live();
            }
            Err(failure) => {
                let _ = ready.send(Err(failure));
            }
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(body).doing("cannot make a thread")?;
    built.recv().doing(format_args!("the thread of {name} broke"))?
}

fn runtime() -> Outcome<Runtime> {
    Builder::new_current_thread().enable_all().build().doing("tokio")
}

/// What a balancer has of its own in its root folder.
fn node_root(host: &Balancer) -> Root {
    let mut root = Root::default();
    for path in ["/proc", "/sys", "/run", "/var/log", "/var/log/nginx", "/var/lib/nginx"] {
        root.folder(path, 0o755);
    }
    for path in ["/tmp", "/var/tmp"] {
        root.folder(path, 0o1777);
    }
    // A daemon's log must not end up in the host's.
    root.put("/dev/log", Own::Nothing);
    let text = |text: String| Own::File { bytes: text.into_bytes(), executable: false };
    root.put("/etc/hostname", text(format!("{}\n", host.name)));
    root.put("/etc/hosts", text(format!("127.0.0.1 localhost\n{} {}\n", host.address, host.name)));
    if !namespace::knows_all_ids() {
        // Where only the founder's ids exist, every user that a config may name is the founder.
        for path in ["/etc/passwd", "/etc/group"] {
            root.put(path, text(all_ids_zero(&std::fs::read_to_string(path).unwrap_or_default())));
        }
    }
    root.folder("/etc/keepalived", 0o755);
    if host.daemon != Daemon::Real {
        root.folder("/etc/nginx", 0o755);
    }
    for file in &host.files {
        let own = Own::File { bytes: file.bytes.clone(), executable: file.executable };
        root.put(&file.path, own);
    }
    root.put("/usr/sbin/evenkeel", Own::Program);
    for name in ["nginx", "keepalived"] {
        let path = format!("/usr/sbin/{name}");
        if host.daemon != Daemon::Real {
            root.put(path, Own::Link("evenkeel".into()));
        }
    }
    let stand_in = |name: &str| Own::File {
        bytes: format!("#!/bin/sh\nexec /usr/sbin/evenkeel lab {name} \"$@\"\n").into_bytes(),
        executable: true,
    };
    root.put("/usr/bin/systemctl", stand_in("systemctl"));
    if !has_killall() {
        root.put("/usr/bin/killall", stand_in("killall"));
    }
    root
}

/// passwd(5) or group(5) with 0 for every id.
fn all_ids_zero(table: &str) -> String {
    let zero = |line: &str| {
        let fields = line.split(':').enumerate();
        let fields = fields.map(|(at, field)| match at {
            2 | 3 if field.parse::<u32>().is_ok() => "0",
            _ => field,
        });
        fields.collect::<Vec<_>>().join(":") + "\n"
    };
    table.lines().map(zero).collect()
}

/// Does this host have psmisc's `killall`? Nodes get a stand-in where it doesn't.
pub(super) fn has_killall() -> bool {
    has_program("/usr/bin/killall")
}

/// Does this host have `nft`?
pub(super) fn has_nft() -> bool {
    ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"].into_iter().any(has_program)
}

fn has_program(path: &str) -> bool {
    let meta = std::fs::metadata(path);
    meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn start_init(stage: UnixStream) -> Outcome<()> {
    let init = Command::new("/usr/sbin/evenkeel")
        .arg0("evenkeel")
        .args(["lab", "node"])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LANG", "C.UTF-8")
        .stdin(OwnedFd::from(stage))
        .stdout(Stdio::null())
        .process_group(0)
        .spawn();
    // It lives as long as the stage: nobody waits for it.
    init.map(drop).doing(format_args!("cannot start PID 1 of a node (host seen at {})", root::HOST))
}

/// The kernel's announcements of addresses in one network namespace.
struct Watch {
    runtime: Runtime,
    messages: Messages,
}

type Messages = Pin<Box<dyn Stream<Item = (NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>>>;

impl Watch {
    fn open() -> Outcome<Watch> {
        let runtime = runtime()?;
        let (connection, _, messages) = {
            let _inside = runtime.enter();
            let groups = [MulticastGroup::Ipv4Ifaddr];
            new_multicast_connection(&groups).doing("cannot watch addresses")?
        };
        runtime.spawn(connection);
        Ok(Watch { runtime, messages: Box::pin(messages) })
    }

    fn run(mut self, node: usize, watched: Ipv4Addr, observations: &Sender<Observation>) {
        let watch = async {
            while let Some((message, _)) = self.messages.next().await {
                let at = Instant::now();
                let (held, message) = match message.payload {
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(new)) => {
                        (true, new)
                    }
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelAddress(old)) => {
                        (false, old)
                    }
                    _ => continue,
                };
                if is(&message, watched) {
                    let seen = Seen::Holds { node, held };
                    let _ = observations.send(Observation { at, seen });
                }
            }
            let seen = Seen::Broken("the kernel announces no addresses any more".to_owned());
            let _ = observations.send(Observation { at: Instant::now(), seen });
        };
        self.runtime.block_on(watch);
    }
}

fn is(message: &AddressMessage, watched: Ipv4Addr) -> bool {
    let watched = IpAddr::V4(watched);
    message.attributes.iter().any(|attribute| match attribute {
        AddressAttribute::Local(address) => *address == watched,
        _ => false,
    })
}
