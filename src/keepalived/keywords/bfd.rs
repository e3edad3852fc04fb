//! `bfd_instance` (keepalived.conf(5), "BFD configuration"): read, checked and kept; nothing
//! speaks BFD yet.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::config::checker::BfdDraft;
use super::super::config::{At, KeepalivedConfig};
use super::Row;
use super::read::{self, wrong};
use crate::plan::bfd::BfdSession;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

const BFD: &[&str] = &["bfd_instance"];
const NOT_RUN: &str = "read, checked and shown by `evenkeel plan`; BFD isn't spoken yet";

pub(super) const TABLE: &[Row] = &[
    Row::of(&["main"], "bfd_instance", "NAME", "A BFD session")
        .bare()
        .block("bfd_instance")
        .partial(NOT_RUN, bfd_instance),
    Row::of(BFD, "neighbor_ip", "ADDRESS", "The other end").bare().partial(NOT_RUN, neighbor),
    Row::of(BFD, "neighbour_ip", "ADDRESS", "The other end").bare().partial(NOT_RUN, neighbor),
    Row::of(BFD, "source_ip", "ADDRESS", "This end").partial(NOT_RUN, source),
    Row::of(BFD, "min_rx", "MILLISECONDS", "Least time between packets received")
        .default("10")
        .partial(NOT_RUN, |c, n, d| time(c, n, d, 1, |it| &mut it.least_receive)),
    Row::of(BFD, "min_tx", "MILLISECONDS", "Time between packets sent")
        .default("10")
        .partial(NOT_RUN, |c, n, d| time(c, n, d, 1, |it| &mut it.send)),
    Row::of(BFD, "idle_tx", "MILLISECONDS", "Time between packets while the session is down")
        .default("1000")
        .partial(NOT_RUN, |c, n, d| time(c, n, d, 1000, |it| &mut it.send_idle)),
    Row::of(BFD, "multiplier", "1..255", "Packets missed until the session is down")
        .default("5")
        .partial(NOT_RUN, multiplier),
    Row::of(BFD, "passive", "", "Wait for the other end to begin")
        .partial(NOT_RUN, |c, _, _| draft(c, |it| it.passive = true)),
    Row::of(BFD, "ttl", "1..255", "TTL of packets sent").default("255").partial(NOT_RUN, ttl),
    Row::of(BFD, "hoplimit", "1..255", "Hop limit of packets sent")
        .default("64")
        .partial(NOT_RUN, ttl),
    Row::of(BFD, "max_hops", "0..255", "Hops that a packet may have taken")
        .default("0")
        .partial(NOT_RUN, max_hops),
    Row::of(BFD, "multihop", "[BOOL]", "Use the port for several hops")
        .newer()
        .partial(NOT_RUN, multihop),
    Row::of(BFD, "weight", "-253..253 [reverse]", "Added to the priority").partial(NOT_RUN, weight),
    Row::of(BFD, "vrrp", "", "Tell only VRRP")
        .partial(NOT_RUN, |c, _, _| draft(c, |it| it.only_vrrp = true)),
    Row::of(BFD, "checker", "", "Tell only the checkers")
        .partial(NOT_RUN, |c, _, _| draft(c, |it| it.only_checkers = true)),
];

const LONGEST_NAME: usize = 31;
/// Most of min_rx, min_tx and idle_tx, in milliseconds.
const LONGEST: u64 = 4_294_967;
const TTL_V4: u8 = 255;
const TTL_V6: u8 = 64;

/// May this block be read? If not, it was complained of.
pub(super) fn head(words: &[Word], diagnostics: &mut Diagnostics) -> bool {
    let Some(name) = words.get(1) else {
        // keepalived dies of this.
        let message = "bfd_instance must have a name";
        let diagnostic = Diagnostic::error("keepalived/name", message).at(words[0].span);
        diagnostics.push(diagnostic.help("write `bfd_instance NAME {`"));
        return false;
    };
    let text = name.lossy();
    let message = if name.text.len() > LONGEST_NAME {
        format!(
            "Configuration error: BFD instance {text} name too long (maximum length is \
             {LONGEST_NAME} characters) - ignoring"
        )
    } else {
        return true;
    };
    diagnostics.push(Diagnostic::error("keepalived/name", message).at(name.span));
    false
}

/// A second one of this name isn't read.
pub(super) fn duplicate(name: &Word) -> Diagnostic {
    let message =
        format!("Configuration error: BFD instance {} already configured - ignoring", name.lossy());
    Diagnostic::error("keepalived/duplicate", message).at(name.span).help("this block is not read")
}

fn bfd_instance(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    let name = read::text(&node.args[0]);
    config.checkers.draft = Some(BfdDraft::new(name));
}

/// What is wrong with the session as a whole.
pub(super) fn closed(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(draft) = config.checkers.draft.take() else { return };
    let end = super::end(node);
    let name = draft.name.value.clone();
    let error = |message: String| Diagnostic::error("keepalived/bfd", message).at(end);
    let problem = |text: &str| error(format!("Configuration error: BFD instance {name} {text}"));
    let Some(neighbor) = draft.neighbor else {
        if !draft.malformed {
            diagnostics.push(problem("has no neighbor address set, disabling instance"));
        }
        return;
    };
    if let Some(source) = draft.source.filter(|it| it.is_ipv4() != neighbor.is_ipv4()) {
        return diagnostics.push(problem(&format!(
            "source address {source} and neighbor address {neighbor} are not of the same family, \
             disabling instance"
        )));
    }
    let same = |other: &At<BfdSession>| {
        let sources = other.value.source.zip(draft.source);
        other.value.neighbor == neighbor && sources.is_none_or(|(other, own)| other == own)
    };
    if let Some(other) = config.checkers.sessions.iter().find(|it| same(it)) {
        let text = match draft.source {
            Some(source) => format!("has duplicate source/neighbor address {source}/{neighbor}"),
            None => format!("has duplicate neighbor address {neighbor}"),
        };
        let diagnostic = problem(&format!("{text}, ignoring instance"));
        return diagnostics.push(diagnostic.label(other.span, "the other one"));
    }
    let ttl = draft.ttl.unwrap_or(if neighbor.is_ipv4() { TTL_V4 } else { TTL_V6 });
    let mut most_hops = draft.most_hops;
    if most_hops > ttl {
        let message =
            format!("BFD instance {name}: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit");
        diagnostics.push(error(message));
        most_hops = ttl;
    }
    let both = draft.only_vrrp == draft.only_checkers;
    let session = BfdSession {
        name,
        neighbor,
        source: draft.source,
        least_receive: draft.least_receive,
        send: draft.send,
        send_idle: draft.send_idle,
        multiplier: draft.multiplier,
        passive: draft.passive,
        ttl,
        most_hops,
        multihop: draft.multihop,
        weight: draft.weight,
        reverse: draft.reverse,
        tell_vrrp: both || draft.only_vrrp,
        tell_checkers: both || draft.only_checkers,
        span: draft.name.span,
    };
    config.checkers.sessions.push(At::new(session, draft.name.span));
}

fn draft(config: &mut KeepalivedConfig, change: impl FnOnce(&mut BfdDraft)) {
    if let Some(draft) = &mut config.checkers.draft {
        change(draft);
    }
}

fn problem(config: &KeepalivedConfig, text: &str) -> String {
    let name = config.checkers.draft.as_ref().map_or("", |draft| &draft.name.value);
    format!("Configuration error: BFD instance {name} {text}")
}

fn neighbor(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(word) = node.args.first() else {
        // keepalived dies of this.
        let message = problem(config, "has no neighbor address set, disabling instance");
        diagnostics.push(Diagnostic::error("keepalived/bfd", message).at(node.name.span));
        return draft(config, |draft| draft.malformed = true);
    };
    match read::loose_address(word, diagnostics) {
        Some(address) => draft(config, |draft| draft.neighbor = Some(address)),
        None => {
            let text = word.lossy();
            let message = problem(
                config,
                &format!("has malformed neighbor address {text}, ignoring instance"),
            );
            diagnostics.push(wrong(word, message, "not an address".to_owned()));
            draft(config, |draft| draft.malformed = true);
        }
    }
}

fn source(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    match read::loose_address(word, diagnostics) {
        Some(address) => draft(config, |draft| draft.source = Some(address)),
        None => {
            let text = word.lossy();
            let message =
                problem(config, &format!("has malformed source address {text}, ignoring"));
            diagnostics.push(wrong(word, message, "not an address".to_owned()));
        }
    }
}

/// Milliseconds with three decimals.
fn time(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
    least: u64,
    field: fn(&mut BfdDraft) -> &mut Duration,
) {
    let (keyword, word) = (node.name.lossy(), &node.args[0]);
    let text = word.lossy();
    let message = problem(
        config,
        &format!(
            "{keyword} value {text} is not valid (must be in range [{least}-{LONGEST}]), ignoring"
        ),
    );
    if let Some(time) = read::milliseconds(word, least..=LONGEST, message, diagnostics) {
        draft(config, |draft| *field(draft) = time);
    }
}

fn number(
    config: &KeepalivedConfig,
    node: &Node,
    range: RangeInclusive<i64>,
    what: &str,
    diagnostics: &mut Diagnostics,
) -> Option<i64> {
    let word = &node.args[0];
    match read::signed(word, range.clone()) {
        Ok(number) => Some(number),
        Err(reason) => {
            let (text, least, most) = (word.lossy(), range.start(), range.end());
            let text = format!(
                "{what} value {text} not valid (must be in range [{least}-{most}]), ignoring"
            );
            diagnostics.push(wrong(word, problem(config, &text), reason));
            None
        }
    }
}

fn multiplier(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    if let Some(number) = number(config, node, 1..=255, "multiplier", diagnostics) {
        draft(config, |draft| draft.multiplier = number as u8);
    }
}

fn ttl(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    if let Some(number) = number(config, node, 1..=255, "ttl/hoplimit", diagnostics) {
        draft(config, |draft| draft.ttl = Some(number as u8));
    }
}

/// keepalived takes -1 as well, for 255.
fn max_hops(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    if let Some(number) = number(config, node, -1..=255, "max_hops", diagnostics) {
        draft(config, |draft| draft.most_hops = (number & 0xff) as u8);
    }
}

fn multihop(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match read::boolean(node.args.first()) {
        Some(on) => draft(config, |draft| draft.multihop = on),
        None => {
            let word = &node.args[0];
            let message = problem(config, &format!("multihop value {} not valid", word.lossy()));
            diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
        }
    }
}

fn weight(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(weight) = number(config, node, -253..=253, "weight", diagnostics) else { return };
    let mut reverse = false;
    match node.args.get(1) {
        None => {}
        Some(word) if word.is("reverse") => reverse = true,
        Some(word) => {
            let message = problem(config, &format!("unknown weight option {}", word.lossy()));
            diagnostics.push(wrong(word, message, "only `reverse` may stand here".to_owned()));
        }
    }
    draft(config, |draft| (draft.weight, draft.reverse) = (weight as i16, reverse));
}
