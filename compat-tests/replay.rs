//! Recordings replayed: what a virtual router does, event by event, in virtual time.
//!
//! Each folder of `fixtures/vrrp` is a case. `case.toml` says in a sentence which behaviour it pins
//! and how that was observed, gives the config and the events, and, where it was recorded from the
//! real keepalived, what that logged, sent, announced and told its notify script. Two things are
//! checked: our actions, to the millisecond, against `expected.txt` (`UPDATE_FIXTURES=1` rewrites
//! it), and against the recording: everything in it happens here too, within a third of a second,
//! and nothing else does.
//!
//! A case has one router. What sync groups do is recorded in `fixtures/scenario/group-*`, where the
//! whole daemon is watched: a group's order of events is that of a process, not of one machine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use evenkeel::plan::conduct::Conduct;
use evenkeel::plan::track::TrackScript;
use evenkeel::plan::vrrp::{InitialState, Version, VirtualRouter};
use evenkeel::plan::wire::Family;
use evenkeel::vrrp::machine::{Action, Event, LogLevel, Received, State};
use evenkeel::vrrp::packet::Advert;
use serde::Deserialize;

use crate::node::{Behaviour, Node, Wish, address, router, track_script, tracked};

/// The recordings were made on a busy machine.
const TOLERANCE: f64 = 0.34;
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Which behaviour this pins, and how it was observed.
    note: String,
    #[serde(default)]
    router: RouterConfig,
    #[serde(default)]
    script: Vec<ScriptConfig>,
    /// `vrrp_startup_delay`, seconds.
    startup_delay: Option<f64>,
    /// The interface is down at the start.
    #[serde(default)]
    down: bool,
    #[serde(default)]
    step: Vec<Step>,
    /// Seconds.
    until: f64,
    real: Option<Real>,
}

#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RouterConfig {
    state: Option<InitialState>,
    priority: Option<u8>,
    vrid: Option<u8>,
    advert_int: Option<f64>,
    version: Option<u8>,
    no_auth: bool,
    nopreempt: bool,
    down_timer_adverts: Option<u8>,
    lower_prio_no_advert: bool,
    higher_prio_send_advert: bool,
    owner_ignore_adverts: bool,
    timer_expired_backup: Option<u8>,
    preempt_delay: f64,
    addresses: Option<Vec<String>>,
    garp: BTreeMap<String, f64>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptConfig {
    name: String,
    #[serde(default)]
    weight: i16,
    #[serde(default)]
    reverse: bool,
    interval: Option<f64>,
    timeout: Option<f64>,
    rise: Option<u32>,
    fall: Option<u32>,
    #[serde(default)]
    init_fail: bool,
    #[serde(default)]
    exit: i32,
    signal: Option<i32>,
    takes: Option<f64>,
    #[serde(default)]
    stubborn: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: f64,
    /// Priority of an advert from `from`.
    advert: Option<u8>,
    from: Option<Ipv4Addr>,
    /// `up` or `down`.
    link: Option<String>,
    /// The interface's primary address: an address, or `none`.
    primary: Option<String>,
    /// A virtual address that somebody took off.
    lost: Option<String>,
    /// Runs of the first script exit with this from now on.
    exit: Option<i32>,
    /// A process that the first script's last run had found has ended.
    #[serde(default)]
    process_gone: bool,
    reload: Option<RouterConfig>,
    #[serde(default)]
    shutdown: bool,
    /// The node doesn't run from here on for this many seconds; packets wait.
    sleep: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Real {
    /// What there is of it: `log`, `advert`, `announce`, `notify`, `rival`.
    kinds: Vec<String>,
    /// Recorded without `-D`: what it logs only with that is not in it.
    #[serde(default)]
    terse: bool,
    /// Lines that differ on purpose or weren't recorded, by how they begin.
    #[serde(default)]
    except: Vec<String>,
    /// `SECONDS KIND TEXT`, one per line.
    seen: String,
}

#[test]
fn recordings_replay_to_the_same_actions() {
    let mut failures = String::new();
    let mut cases = 0;
    for entry in std::fs::read_dir("fixtures/vrrp").unwrap() {
        let folder = entry.unwrap().path();
        cases += 1;
        if let Err(failure) = replay(&folder) {
            writeln!(failures, "{}: {failure}", folder.display()).unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(cases >= 25, "only {cases} cases");
}

/// The comparison with a recording can fail: a line more, a line less, a line too late.
#[test]
fn a_recording_that_differs_is_noticed() {
    let ours =
        |at: f64| vec![Seen { at, kind: "log", text: "(VI_1) Entering MASTER STATE".into() }];
    let real = |seen: &str| Real {
        kinds: vec!["log".into()],
        terse: false,
        except: vec![],
        seen: seen.into(),
    };
    let same = real("3.6 log (VI_1) Entering MASTER STATE\n");
    assert!(compare(&ours(3.61), &same).is_ok());
    assert!(compare(&ours(4.0), &same).is_err());
    assert!(compare(&[], &same).is_err());
    assert!(compare(&ours(3.6), &real("")).is_err());
    assert!(compare(&ours(3.6), &real("3.6 log (VI_1) Entering FAULT STATE\n")).is_err());
}

fn replay(folder: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(folder.join("case.toml")).map_err(|it| it.to_string())?;
    let case: Case = toml::from_str(&text).map_err(|error| error.to_string())?;
    if case.note.trim().len() < 20 {
        return Err("the note doesn't say what this pins".into());
    }
    let seen = run(&case);
    let actual = render(&seen);
    let expected = folder.join("expected.txt");
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&expected, &actual).unwrap();
    }
    let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
    if actual != wanted {
        return Err(format!("differs from expected.txt\n{}", difference(&wanted, &actual)));
    }
    case.real.map_or(Ok(()), |real| compare(&seen, &real))
}

/// One thing that happened.
struct Seen {
    at: f64,
    kind: &'static str,
    text: String,
}

fn run(case: &Case) -> Vec<Seen> {
    let zero = Instant::now();
    let at = |seconds: f64| zero + Duration::from_secs_f64(seconds);
    let scripts = case.script.iter().map(|it| (it.plan(), it.behaviour())).collect();
    let mut node = Node::new(vec![configured(&case.router, &case.script)], false, scripts);
    let mut link = !case.down;
    let mut primary = Some(OWN);
    let mut seen = Vec::new();
    let mut out = Vec::new();
    if let Some(delay) = case.startup_delay {
        node.handle(zero, 0, Event::ListenUntil(at(delay)), &mut out);
    }
    node.start(zero, &Event::Start, &[(link, OWN)], &mut out);
    note(0.0, &mut out, &mut seen);
    let mut awake_at = zero;
    for step in &case.step {
        run_until(&mut node, zero, at(step.at), awake_at, &mut seen);
        let now = at(step.at).max(awake_at);
        if let Some(priority) = step.advert {
            let packet = advert(node.machines[0].router(), step.from, priority);
            node.handle(now, 0, Event::Packet(packet), &mut out);
        }
        if let Some(word) = &step.link {
            link = word == "up";
            node.handle(now, 0, Event::Interface { up: link, primary }, &mut out);
        }
        if let Some(address) = &step.primary {
            primary = address.parse().ok();
            node.handle(now, 0, Event::Interface { up: link, primary }, &mut out);
        }
        if let Some(lost) = &step.lost {
            node.handle(now, 0, Event::AddressLost(address(lost)), &mut out);
        }
        if let Some(exit) = step.exit {
            node.scripts[0].behaviour.exit = exit;
        }
        if step.process_gone {
            let event = evenkeel::vrrp::script::Event::ProcessGone;
            node.tell_script(now, 0, event, &mut out);
        }
        if let Some(reload) = &step.reload {
            let new = configured(reload, &case.script);
            let links = [(link, primary.unwrap_or(OWN))];
            node.reload(now, &[Some(new)], &links, &mut out);
        }
        if step.shutdown {
            node.handle(now, 0, Event::Shutdown, &mut out);
        }
        if let Some(seconds) = step.sleep {
            awake_at = now + Duration::from_secs_f64(seconds);
        }
        note((now - zero).as_secs_f64(), &mut out, &mut seen);
    }
    run_until(&mut node, zero, at(case.until), awake_at, &mut seen);
    seen
}

fn run_until(node: &mut Node, zero: Instant, end: Instant, awake: Instant, seen: &mut Vec<Seen>) {
    let mut out = Vec::new();
    while let Some(deadline) = node.deadline().map(|it| it.max(awake)).filter(|it| *it <= end) {
        node.time_out(deadline, &mut out);
        note((deadline - zero).as_secs_f64(), &mut out, seen);
    }
}

fn note(at: f64, actions: &mut Vec<Wish>, seen: &mut Vec<Seen>) {
    for (_, action) in actions.drain(..) {
        let (kind, text) = match action {
            Action::Send(packet) => {
                let advert = Advert::parse(&packet.payload, Family::V4);
                let advert = advert.expect("we send what we can read");
                let addresses: Vec<_> = advert.addresses.iter().map(ToString::to_string).collect();
                let addresses = addresses.join(" ");
                assert_eq!(packet.source, OWN);
                ("advert", format!("vrid {} priority {} {addresses}", advert.vrid, advert.priority))
            }
            Action::AddAddresses(these) => ("add", names(&these)),
            Action::RemoveAddresses(these) => ("remove", names(&these)),
            Action::DropPackets(these) => ("guard", names(&these)),
            Action::AcceptPackets(these) => ("open", names(&these)),
            Action::AddRoutes(these) => ("add", items(&these)),
            Action::RemoveRoutes(these) => ("remove", items(&these)),
            Action::AddRules(these) => ("add", items(&these)),
            Action::RemoveRules(these) => ("remove", items(&these)),
            Action::Announce(it, _) => ("announce", it.address.to_string()),
            Action::Transition { to: State::Initialize, priority, .. } => {
                ("notify", format!("STOP {priority}"))
            }
            Action::Transition { to, priority, .. } => {
                ("notify", format!("{} {priority}", to.word()))
            }
            Action::Expired => continue,
            Action::RivalHeard { priority } => ("rival", priority.to_string()),
            // Said once per packet, right before it.
            Action::Log(_, line) if line.starts_with("Sending gratuitous ARP on") => continue,
            Action::Log(LogLevel::Warning | LogLevel::Error, line) => ("warn", line),
            Action::Log(LogLevel::Debug, line) => ("detail", line),
            Action::Log(LogLevel::Info, line) => ("log", line),
            Action::Count(counter) => ("count", format!("{counter:?}")),
        };
        seen.push(Seen { at, kind, text });
    }
}

fn names(addresses: &[evenkeel::plan::vrrp::VirtualAddress]) -> String {
    let names: Vec<_> =
        addresses.iter().map(|it| format!("{}/{}", it.address, it.prefix)).collect();
    names.join(" ")
}

fn items<T: std::fmt::Display>(these: &[T]) -> String {
    these.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn render(seen: &[Seen]) -> String {
    let mut text = String::new();
    let mut last = String::new();
    let mut times = 0;
    for line in seen.iter().map(|it| format!("{:8.3} {:8} {}", it.at, it.kind, it.text)) {
        if line == last {
            times += 1;
            continue;
        }
        close(&mut text, times);
        text.push_str(&line);
        (last, times) = (line, 1);
    }
    close(&mut text, times);
    text
}

fn close(text: &mut String, times: usize) {
    if times > 1 {
        write!(text, " ×{times}").unwrap();
    }
    if times > 0 {
        text.push('\n');
    }
}

/// First line that differs, with what stands around it.
fn difference(wanted: &str, actual: &str) -> String {
    let at = wanted.lines().zip(actual.lines()).take_while(|(a, b)| a == b).count();
    let line = |text: &str| text.lines().nth(at).unwrap_or("(end)").to_owned();
    format!("line {}\n  wanted {}\n  actual {}", at + 1, line(wanted), line(actual))
}

/// Everything recorded happens in `ours` at about the same time, and nothing more.
fn compare(ours: &[Seen], real: &Real) -> Result<(), String> {
    let counted = |kind: &str, text: &str| {
        real.kinds.iter().any(|it| it == kind)
            && !real.except.iter().any(|start| text.starts_with(start.as_str()))
    };
    let kind_of = |kind: &'static str| match kind {
        "warn" => "log",
        "detail" if !real.terse => "log",
        other => other,
    };
    let mut left: Vec<_> = ours.iter().filter(|it| counted(kind_of(it.kind), &it.text)).collect();
    let mut missing = Vec::new();
    for line in real.seen.lines() {
        let mut parts = line.splitn(3, ' ');
        let (Some(at), Some(kind), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(format!("a recorded line that can't be read: {line}"));
        };
        if !counted(kind, text) {
            continue;
        }
        let at: f64 = at.parse().map_err(|_| format!("no time: {line}"))?;
        let found = left.iter().position(|it| {
            kind_of(it.kind) == kind && it.text == text && (it.at - at).abs() <= TOLERANCE
        });
        match found {
            Some(index) => drop(left.remove(index)),
            None => missing.push(line.to_owned()),
        }
    }
    let extra: Vec<_> =
        left.iter().map(|it| format!("{:.3} {} {}", it.at, it.kind, it.text)).collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(());
    }
    Err(format!(
        "differs from the recording\n  only the real one: {}\n  only ours: {}",
        missing.join("\n    "),
        extra.join("\n    ")
    ))
}

fn advert(router: &VirtualRouter, from: Option<Ipv4Addr>, priority: u8) -> Received {
    let source = IpAddr::V4(from.unwrap_or(Ipv4Addr::new(10, 9, 0, 2)));
    let advert = Advert { priority, ..peer_advert(router) };
    Received {
        source,
        destination: router.group,
        ttl: 255,
        identification: 1,
        pdu: advert.encode(source, router.group),
    }
}

fn peer_advert(router: &VirtualRouter) -> Advert {
    let mut machine = evenkeel::vrrp::machine::Machine::new(VirtualRouter {
        initial: InitialState::Master,
        priority: 255,
        scripts: vec![],
        ..router.clone()
    });
    let mut out = Vec::new();
    let now = Instant::now();
    machine.handle(now, Event::Interface { up: true, primary: Some(OWN) }, &mut out);
    machine.handle(now, Event::Start, &mut out);
    let pdu = out.into_iter().find_map(|action| match action {
        Action::Send(packet) => Some(packet.payload),
        _ => None,
    });
    Advert::parse(&pdu.unwrap(), Family::V4).unwrap()
}

fn configured(config: &RouterConfig, scripts: &[ScriptConfig]) -> VirtualRouter {
    let mut it = router();
    it.initial = config.state.unwrap_or(InitialState::Backup);
    it.priority = config.priority.unwrap_or(100);
    it.vrid = config.vrid.unwrap_or(51);
    it.preempt = !config.nopreempt;
    it.conduct = Conduct {
        down_timer_adverts: config.down_timer_adverts.unwrap_or(3),
        lower_priority_no_advert: config.lower_prio_no_advert,
        higher_priority_send_advert: config.higher_prio_send_advert,
        owner_ignores_adverts: config.owner_ignore_adverts,
        step_back_when_late: config.timer_expired_backup,
        strict: false,
    };
    it.preempt_delay = Duration::from_secs_f64(config.preempt_delay);
    if let Some(seconds) = config.advert_int {
        it.advert_interval = Duration::from_secs_f64(seconds);
    }
    if config.version == Some(3) {
        it.version = Version::V3;
    }
    if config.no_auth || config.version == Some(3) {
        it.authentication = None;
    }
    if let Some(addresses) = &config.addresses {
        it.addresses = addresses.iter().map(|text| address(text)).collect();
    }
    for (key, value) in &config.garp {
        let (count, time) = (*value as u32, Duration::from_secs_f64(*value));
        match key.as_str() {
            "repeat" => it.garp.repeat = count,
            "delay" => it.garp.delay = time,
            "refresh" => it.garp.refresh = time,
            "refresh_repeat" => it.garp.refresh_repeat = count,
            "lower_priority_repeat" => it.garp.lower_priority_repeat = count,
            "lower_priority_delay" => it.garp.lower_priority_delay = time,
            // `all SECONDS`
            "extra" => (it.garp.extra, it.garp.extra_everywhere) = (time, true),
            other => panic!("no such garp setting: {other}"),
        }
    }
    it.scripts = scripts
        .iter()
        .enumerate()
        .map(|(index, script)| tracked(index, script.weight, script.reverse))
        .collect();
    it
}

impl ScriptConfig {
    fn plan(&self) -> TrackScript {
        TrackScript {
            interval: Duration::from_secs_f64(self.interval.unwrap_or(1.0)),
            timeout: self.timeout.map(Duration::from_secs_f64),
            weight: self.weight,
            reverse: self.reverse,
            rise: self.rise.unwrap_or(1),
            fall: self.fall.unwrap_or(1),
            init_fail: self.init_fail,
            ..track_script(&self.name)
        }
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour {
            takes: Duration::from_secs_f64(self.takes.unwrap_or(0.002)),
            exit: self.exit,
            signal: self.signal,
            stubborn: self.stubborn,
        }
    }
}
