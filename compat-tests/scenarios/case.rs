//! A case as a file: what is done to the daemon under observation, and when.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// `events` of a case's folder.
///
/// The file begins with comment lines that say what the case pins. Then one event a line, in the
/// order in which they happen: `[after SECONDS: ]EVENT`. An event with `after` begins a new phase;
/// what is observed is noted by phase. The last line is `after SECONDS: end`.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) folder: PathBuf,
    pub(crate) phases: Vec<Phase>,
}

#[derive(Debug)]
pub(crate) struct Phase {
    /// As written.
    pub(crate) title: String,
    pub(crate) events: Vec<Event>,
    /// Until the next phase.
    pub(crate) lasts: Duration,
}

/// Which of the hosts. `a` is the one under observation; on the others the real keepalived runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    A,
    B,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// `start [peer]`: the daemon, with `keepalived.conf`; on the other host `peer.conf`.
    Start(Node),
    /// `stop [peer]`: SIGTERM, and until it has ended.
    Stop(Node),
    /// `signal NAME [peer]`
    Signal(Node, String),
    /// `kill-role`: SIGKILL to the process that speaks VRRP.
    KillRole,
    /// `reload [FILE]`: this file as `keepalived.conf`, and SIGHUP.
    Reload(Option<String>),
    /// `script NAME: COMMANDS`: an executable `/etc/keepalived/NAME`, from now on.
    Script(String, String),
    /// `write NAME: TEXT`: a file `/etc/keepalived/NAME`, from now on.
    Write(String, String),
    /// `remove NAME`
    Remove(String),
    /// `ip WORDS`, `ip-peer WORDS`: ip(8) on that host.
    Ip(Node, String),
    /// `unplug`, `plug`: the host's cable, without its noticing.
    Plugged(bool),
    /// `carrier off`, `carrier on`: the same, and the host notices.
    Carrier(bool),
    /// `advert KEY=VALUE ...`: one VRRP packet from the other host.
    Advert(Advert),
    /// `filter COMMAND`: nft(8) on the host under observation.
    Nft(String),
    /// `run COMMAND`: in the background, on the host under observation, until the end.
    Run(String),
    /// `wait-for-peer`, `wait-for-master`: until that host holds an address that it had not before.
    WaitFor(Node),
}

/// A packet to be sent. IPv4 only.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Advert {
    pub(crate) version: u8,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
    /// Seconds.
    pub(crate) interval: f64,
    /// Version 2: a password.
    pub(crate) pass: Option<String>,
    pub(crate) addresses: Vec<std::net::Ipv4Addr>,
    pub(crate) source: std::net::Ipv4Addr,
    pub(crate) destination: std::net::Ipv4Addr,
    pub(crate) ttl: u8,
    /// Wrong on purpose.
    pub(crate) bad_checksum: bool,
    /// How often it is sent, an interval apart.
    pub(crate) repeat: u8,
}

impl Case {
    pub(crate) fn read(folder: &Path) -> Result<Case, String> {
        let file = folder.join("events");
        let text = std::fs::read_to_string(&file).map_err(|it| format!("events: {it}"))?;
        let note: usize = text.lines().take_while(|it| it.starts_with('#')).map(str::len).sum();
        if note < 20 {
            return Err("events: no comment says what this pins".into());
        }
        let mut phases: Vec<Phase> = Vec::new();
        let mut ended = false;
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if ended {
                return Err(format!("events: after the end: {line}"));
            }
            let (after, words) = split_time(line)?;
            if let (Some(after), Some(last)) = (after, phases.last_mut()) {
                last.lasts = after;
            }
            if words == "end" {
                ended = true;
                continue;
            }
            let event = Event::read(words).map_err(|why| format!("events: {why}: {line}"))?;
            match phases.last_mut() {
                Some(last) if after.is_none() => last.events.push(event),
                _ => phases.push(Phase {
                    title: words.to_owned(),
                    events: vec![event],
                    lasts: Duration::ZERO,
                }),
            }
        }
        if !ended {
            return Err("events: no end".into());
        }
        // What the phase is about is what it ends with: before it, things are only made ready.
        if let Some(first) = phases.first_mut() {
            first.title = "start".into();
        }
        Ok(Case { folder: folder.to_owned(), phases })
    }

    pub(crate) fn name(&self) -> String {
        self.folder.file_name().unwrap().to_string_lossy().into_owned()
    }
}

fn split_time(line: &str) -> Result<(Option<Duration>, &str), String> {
    let Some(rest) = line.strip_prefix("after ") else { return Ok((None, line)) };
    let (time, words) = rest.split_once(": ").ok_or_else(|| format!("events: {line}"))?;
    let seconds: f64 = time.parse().map_err(|_| format!("events: no time: {line}"))?;
    Ok((Some(Duration::from_secs_f64(seconds)), words))
}

impl Event {
    fn read(line: &str) -> Result<Event, String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let node = |word: &str| match word {
            "" => Ok(Node::A),
            "peer" => Ok(Node::B),
            _ => Err("no such node".to_owned()),
        };
        let named = || {
            let (name, text) = rest.split_once(": ").ok_or("NAME: TEXT is missing")?;
            Ok::<_, String>((name.to_owned(), text.to_owned()))
        };
        Ok(match verb {
            "start" => Event::Start(node(rest)?),
            "stop" => Event::Stop(node(rest)?),
            "signal" => {
                let (name, who) = rest.split_once(' ').unwrap_or((rest, ""));
                Event::Signal(node(who)?, name.to_owned())
            }
            "kill-role" => Event::KillRole,
            "reload" => Event::Reload(Some(rest.to_owned()).filter(|it| !it.is_empty())),
            "script" => named().map(|(name, text)| Event::Script(name, text))?,
            "write" => named().map(|(name, text)| Event::Write(name, text))?,
            "remove" => Event::Remove(rest.to_owned()),
            "ip" => Event::Ip(Node::A, rest.to_owned()),
            "ip-peer" => Event::Ip(Node::B, rest.to_owned()),
            "plug" => Event::Plugged(true),
            "unplug" => Event::Plugged(false),
            "carrier" if rest == "on" => Event::Carrier(true),
            "carrier" if rest == "off" => Event::Carrier(false),
            "advert" => Event::Advert(Advert::read(rest)?),
            "nft" => Event::Nft(rest.to_owned()),
            "run" => Event::Run(rest.to_owned()),
            "wait-for-peer" => Event::WaitFor(Node::B),
            "wait-for-master" => Event::WaitFor(Node::A),
            _ => return Err("no such event".into()),
        })
    }
}

impl Advert {
    /// Defaults are those of the cases' usual config: version 3, VRID 51, 0.2 s, one address.
    fn read(words: &str) -> Result<Advert, String> {
        let mut advert = Advert {
            version: 3,
            vrid: 51,
            priority: 100,
            interval: 0.2,
            pass: None,
            addresses: vec![[192, 168, 80, 100].into()],
            source: [192, 168, 80, 123].into(),
            destination: [224, 0, 0, 18].into(),
            ttl: 255,
            bad_checksum: false,
            repeat: 1,
        };
        for word in words.split_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let wrong = |_| format!("not a value of {key}");
            let number = || value.parse::<u8>().map_err(|_| format!("not a value of {key}"));
            match key {
                "version" => advert.version = number()?,
                "vrid" => advert.vrid = number()?,
                "priority" => advert.priority = number()?,
                "ttl" => advert.ttl = number()?,
                "interval" => {
                    advert.interval = value.parse().map_err(|_| format!("no interval: {value}"))?;
                }
                "pass" => advert.pass = Some(value.to_owned()),
                "addresses" => {
                    let addresses = value.split(',').filter(|it| !it.is_empty());
                    advert.addresses =
                        addresses.map(str::parse).collect::<Result<_, _>>().map_err(wrong)?;
                }
                "from" => advert.source = value.parse().map_err(wrong)?,
                "to" => advert.destination = value.parse().map_err(wrong)?,
                "repeat" => advert.repeat = number()?,
                "bad-checksum" => advert.bad_checksum = true,
                _ => return Err(format!("no such thing in an advert: {key}")),
            }
        }
        Ok(advert)
    }

    /// The bytes behind the IP header, made without Evenkeel's own encoder.
    pub(crate) fn pdu(&self) -> Vec<u8> {
        let mut pdu = vec![self.version << 4 | 1, self.vrid, self.priority];
        pdu.push(self.addresses.len() as u8);
        if self.version == 2 {
            pdu.extend([u8::from(self.pass.is_some()), self.interval as u8]);
        } else {
            pdu.extend(((self.interval * 100.0).round() as u16).to_be_bytes());
        }
        pdu.extend([0, 0]);
        pdu.extend(self.addresses.iter().flat_map(|it| it.octets()));
        if self.version == 2 {
            let mut data = self.pass.clone().unwrap_or_default().into_bytes();
            data.resize(8, 0);
            pdu.extend(data);
        }
        let mut summed = Vec::new();
        if self.version == 3 {
            // RFC 5798, 5.2.8: with the pseudo-header.
            summed.extend(self.source.octets());
            summed.extend(self.destination.octets());
            summed.extend([0, 112]);
            summed.extend((pdu.len() as u16).to_be_bytes());
        }
        summed.extend(&pdu);
        let checksum = internet_checksum(&summed) ^ u16::from(self.bad_checksum);
        pdu[6..8].copy_from_slice(&checksum.to_be_bytes());
        pdu
    }
}

fn internet_checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|it| u32::from(it[0]) << 8 | u32::from(*it.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
