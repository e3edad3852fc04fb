//! Plays a case on two hosts and notes what can be observed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use evenkeel::kernel::raw::{HeaderSender, Letter, Sender};

use super::case::{Advert, Case, Event, Node};
use super::sequence::{Noise, Observed, agree, log_lines, note_lines};
use super::wire::{Streams, adverts};
use crate::bed::daemon::{Daemon, Maker};
use crate::bed::{Bed, Capture, Host, wait_until};

/// How much longer than recorded a phase may take until what is expected has happened.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long a daemon may take to start, on a busy machine.
const START: Duration = Duration::from_secs(3);

/// Plays a case with this maker's daemon under observation. `expected`: phases that aren't yet
/// like this get more time.
pub(crate) fn play(case: &Case, maker: Maker, expected: Option<&[Observed]>) -> Vec<Observed> {
    let mut stage = Stage::new(case, maker);
    let mut patience = PATIENCE;
    let mut phases = Vec::new();
    for (at, phase) in case.phases.iter().enumerate() {
        let mark = stage.mark();
        for event in &phase.events {
            stage.act(event);
        }
        std::thread::sleep(phase.lasts);
        let mut now = stage.observe(&mark);
        if let Some(wanted) = expected.and_then(|it| it.get(at)) {
            let waiting = Instant::now();
            while !agree(&wanted.lines, &now.lines) && waiting.elapsed() < patience {
                std::thread::sleep(Duration::from_millis(100));
                now = stage.observe(&mark);
            }
            if !agree(&wanted.lines, &now.lines) {
                // Once it differs it is not worth waiting again.
                patience = Duration::ZERO;
            }
        }
        stage.settle(now.streams, now.addresses);
        phases.push(Observed { title: phase.title.clone(), lines: now.lines });
    }
    phases
}

/// Two hosts, a capture between them, and the files that scripts write.
struct Stage {
    maker: Maker,
    noise: Noise,
    daemon: Option<Daemon>,
    peer: Option<Daemon>,
    /// What runs beside, and ends with the stage.
    running: Vec<Child>,
    streams: Streams,
    addresses: Vec<String>,
    /// Of both hosts, before anything was started.
    first: [Vec<String>; 2],
    /// What events themselves have to tell, in the phase that goes on.
    told: Vec<String>,
    wire: PathBuf,
    _capture: Capture,
    bed: Bed,
}

/// How far everything was at the beginning of a phase.
struct Mark {
    time: Duration,
    log: usize,
    notes: usize,
    fifo: usize,
}

/// A phase as it is by now.
struct Now {
    lines: Vec<String>,
    streams: Streams,
    addresses: Vec<String>,
}

impl Stage {
    fn new(case: &Case, maker: Maker) -> Stage {
        let bed = Bed::new(2);
        for node in ["a", "b"] {
            let etc = bed.path(&format!("etc-{node}"));
            std::fs::create_dir(&etc).unwrap();
            for entry in std::fs::read_dir(&case.folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|it| it == "conf") {
                    std::fs::copy(&path, etc.join(path.file_name().unwrap())).unwrap();
                }
            }
            write_script(&etc.join("note"), "echo $$ \"$@\" >>/etc/keepalived/notes");
        }
        let peer = bed.path("etc-b");
        if peer.join("peer.conf").exists() {
            std::fs::rename(peer.join("peer.conf"), peer.join("keepalived.conf")).unwrap();
        }
        let wire = bed.path("wire.pcap");
        let capture = bed.hosts[1].capture(&wire);
        let mut stage = Stage {
            maker,
            noise: Noise::read(),
            daemon: None,
            peer: None,
            running: Vec::new(),
            streams: Streams::default(),
            addresses: Vec::new(),
            first: [addresses(&bed.hosts[0]), addresses(&bed.hosts[1])],
            told: Vec::new(),
            wire,
            _capture: capture,
            bed,
        };
        stage.addresses = stage.first[0].clone();
        let config = std::fs::read_to_string(stage.etc("keepalived.conf")).unwrap_or_default();
        if config.contains("/etc/keepalived/fifo") {
            // Held open, so that the daemon finds a reader whenever it comes.
            let fifo = stage.etc("fifo");
            nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
            stage.run("exec cat <>/etc/keepalived/fifo >/etc/keepalived/fifo.out");
        }
        stage
    }

    /// A file of the daemon under observation.
    fn etc(&self, name: &str) -> PathBuf {
        self.bed.path("etc-a").join(name)
    }

    fn host(&self, node: Node) -> &Host {
        &self.bed.hosts[usize::from(node == Node::B)]
    }

    fn act(&mut self, event: &Event) {
        match event {
            Event::Start(node) => {
                let (maker, etc) = match node {
                    Node::A => (self.maker, "etc-a"),
                    Node::B => (Maker::Debian, "etc-b"),
                };
                let etc = self.bed.path(etc);
                let daemon = Daemon::start_with_etc(&self.bed, self.host(*node), maker, &etc);
                // Time counts from when it is up; one that can't run never is.
                let begun = Instant::now();
                while !daemon.log().contains("Startup complete") && begun.elapsed() < START {
                    std::thread::sleep(Duration::from_millis(10));
                }
                *self.slot(*node) = Some(daemon);
            }
            Event::Stop(node) => {
                let daemon = self.slot(*node).take().expect("it has been started");
                let status = daemon.stop();
                if *node == Node::A {
                    self.told.push(format!("exit {}", status.code().unwrap_or(-1)));
                }
            }
            Event::Signal(node, name) => {
                self.slot(*node).as_ref().expect("it has been started").signal(name);
            }
            Event::KillRole => {
                let daemon = self.daemon.as_ref().expect("it has been started");
                crate::bed::daemon::kill("KILL", daemon.vrrp_pid() as i32);
            }
            Event::Reload(file) => {
                if let Some(file) = file {
                    std::fs::copy(self.etc(file), self.etc("keepalived.conf")).unwrap();
                }
                self.daemon.as_ref().expect("it has been started").signal("HUP");
            }
            Event::Script(name, body) => write_script(&self.etc(name), body),
            // In place: a tracked file must stay the same file.
            Event::Write(name, text) => {
                std::fs::write(self.etc(name), format!("{text}\n")).unwrap()
            }
            Event::Remove(name) => std::fs::remove_file(self.etc(name)).unwrap(),
            Event::Ip(node, words) => self.host(*node).ip(words),
            Event::Plugged(plugged) => self.bed.connect(&self.bed.hosts[0], *plugged),
            Event::Carrier(on) => self.bed.carrier(&self.bed.hosts[0], *on),
            Event::Advert(advert) => self.inject(advert.clone()),
            Event::Nft(words) => {
                let status = self.host(Node::A).command("nft").arg(words).status().unwrap();
                assert!(status.success(), "nft {words}");
            }
            Event::Run(command) => self.run(command),
            Event::WaitFor(node) => {
                let host = self.host(*node);
                wait_until("master", PATIENCE, || addresses(host) != self.first[*node as usize]);
            }
        }
    }

    fn slot(&mut self, node: Node) -> &mut Option<Daemon> {
        match node {
            Node::A => &mut self.daemon,
            Node::B => &mut self.peer,
        }
    }

    fn run(&mut self, command: &str) {
        let etc = self.bed.path("etc-a");
        let mut shell = self.host(Node::A).command_with_etc("/bin/sh", &etc);
        shell.args(["-c", command]);
        self.running.push(shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    fn inject(&self, advert: Advert) {
        self.host(Node::B).on(move || {
            let Advert { source, destination, ttl, interval, .. } = advert;
            let sender = HeaderSender::open("eth0").map(Sender::V4).unwrap();
            let letter = Letter {
                source: source.into(),
                destination: destination.into(),
                protocol: 112,
                ttl,
                identification: 0,
                payload: &advert.pdu(),
            };
            for turn in 0..advert.repeat {
                if turn > 0 {
                    std::thread::sleep(Duration::from_secs_f64(interval));
                }
                sender.send(letter).unwrap();
            }
        });
    }

    fn mark(&mut self) -> Mark {
        self.told.clear();
        Mark {
            time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap(),
            log: self.log().len(),
            notes: self.text("notes").len(),
            fifo: self.text("fifo.out").len(),
        }
    }

    fn log(&self) -> String {
        let log = std::fs::read(self.bed.path("a.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.etc(name)).unwrap_or_default()
    }

    fn observe(&self, since: &Mark) -> Now {
        let mut lines = log_lines(self.log().get(since.log..).unwrap_or_default(), &self.noise);
        lines.extend(note_lines(self.text("notes").get(since.notes..).unwrap_or_default()));
        let fifo = self.text("fifo.out");
        let fifo = fifo.get(since.fifo..).unwrap_or_default();
        lines.extend(fifo.lines().map(|it| format!("fifo {it}")));
        let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut seen = adverts(&self.wire);
        seen.retain(|it| it.at >= since.time && it.at <= end);
        let (wire, streams) = self.streams.follow(&seen, end);
        lines.extend(wire.into_iter().map(|it| format!("wire {it}")));
        let addresses = addresses(&self.bed.hosts[0]);
        for gone in self.addresses.iter().filter(|it| !addresses.contains(it)) {
            lines.push(format!("gone {gone}"));
        }
        for new in addresses.iter().filter(|it| !self.addresses.contains(it)) {
            lines.push(format!("here {new}"));
        }
        lines.extend(self.told.iter().cloned());
        Now { lines, streams, addresses }
    }

    fn settle(&mut self, streams: Streams, addresses: Vec<String>) {
        self.streams = streams;
        self.addresses = addresses;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a host has: addresses, `ADDRESS/PREFIX dev NAME`, and routes and rules that the kernel
/// didn't make by itself.
fn addresses(host: &Host) -> Vec<String> {
    let ask = |words: &str| {
        let output = host.command("ip").args(words.split(' ')).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut found: Vec<String> = ask("-o addr show").lines().filter_map(address).collect();
    found.sort();
    let routes = ask("route show table all");
    let routes = routes.lines().filter(|it| !it.contains(" proto kernel "));
    found.extend(routes.map(|it| format!("route {}", it.trim_end())));
    let rules = ask("rule show");
    let own = |it: &&str| !["0:", "32766:", "32767:"].iter().any(|no| it.starts_with(no));
    found.extend(rules.lines().filter(own).map(|it| format!("rule {}", it.replace('\t', " "))));
    found
}

/// `2: eth0    inet 192.168.80.122/24 scope global eth0\ ...`
fn address(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (device, address) = (words.get(1)?, words.get(3)?);
    // They come and go with the link, in their own time.
    (!address.starts_with("fe80:")).then(|| format!("{address} dev {device}"))
}

/// Put in place in one step: it may be started at any moment.
fn write_script(path: &Path, body: &str) {
    use std::os::unix::fs::PermissionsExt;
    let new = path.with_extension("new");
    let mut file = std::fs::File::create(&new).unwrap();
    writeln!(file, "#!/bin/sh\n{body}").unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(file);
    std::fs::rename(new, path).unwrap();
}
