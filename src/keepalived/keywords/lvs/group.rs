//! `virtual_server_group`: addresses and firewall marks that virtual servers share.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::super::config::checker::Group;
use super::super::super::config::{At, KeepalivedConfig};
use super::super::Row;
use super::super::read::{self, wrong};
use super::{NOT_RUN, end};
use crate::plan::checker::{Family, Member};
use crate::text::{Diagnostic, Diagnostics, Node};

pub(in crate::keepalived::keywords) const TABLE: &[Row] =
    &[Row::of(&["main"], "virtual_server_group", "NAME", "Addresses that virtual services share")
        .lines()
        .needs_one()
        .partial(NOT_RUN, group)];

fn group(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let name = read::text(&node.args[0]);
    if let Some(extra) = node.args.get(1) {
        let message = "*** Configuration line starting `***MISSING ***` is missing a parameter at \
                       word position 1";
        let help = "a group has one name; put it in quotes if it has blanks. keepalived doesn't \
                    start with such a line, and neither does Evenkeel";
        let diagnostic = Diagnostic::fatal("keepalived/missing-parameter", message);
        diagnostics.push(diagnostic.at(extra.span).help(help));
    }
    let mut members = Vec::new();
    for line in node.body.iter().flatten() {
        let member = match line.name.is("fwmark") {
            true => mark(&name.value, line, diagnostics),
            false => addresses(line, diagnostics),
        };
        members.extend(member);
    }
    if let Some(message) = whole(&name.value, &members) {
        let diagnostic = Diagnostic::error("keepalived/checker", message).at(end(node));
        return diagnostics.push(diagnostic);
    }
    config.checkers.groups.push(Group { name: At::new(name.value, name.span), members });
}

/// What is wrong with a group as a whole.
fn whole(name: &str, members: &[Member]) -> Option<String> {
    let any = |family: Family| {
        members.iter().any(|member| match member {
            Member::Addresses { first, .. } => Family::of(*first) == family,
            Member::Mark { .. } => false,
        })
    };
    let bare_mark =
        members.iter().any(|member| matches!(member, Member::Mark { family: None, .. }));
    if members.is_empty() {
        return Some(format!("virtual server group {name} has no entries - removing"));
    }
    (any(Family::V4) && any(Family::V6) && bare_mark).then(|| {
        format!(
            "virtual server group {name} cannot have IPv4, IPv6 and fwmark without family - \
             removing"
        )
    })
}

fn mark(group: &str, line: &Node, diagnostics: &mut Diagnostics) -> Option<Member> {
    let Some(word) = line.args.first() else {
        diagnostics.push(super::super::missing_parameter(&line.name, &line.name, 2));
        return None;
    };
    let text = word.lossy();
    let mark = match read::number(word, 0..=u64::from(u32::MAX)) {
        Ok(mark) => mark as u32,
        Err(reason) => {
            let message =
                format!("({group}): fwmark '{text}' must be in [0, 4294967295] - ignoring");
            diagnostics.push(wrong(word, message, reason));
            return None;
        }
    };
    let family = match line.args.get(1) {
        None => None,
        Some(word) if word.is("inet") => Some(Family::V4),
        Some(word) if word.is("inet6") => Some(Family::V6),
        Some(word) => {
            let family = word.lossy();
            let message = format!("({group}): fwmark '{text}' family {family} unknown - ignoring");
            diagnostics.push(wrong(word, message, "inet or inet6".to_owned()));
            return None;
        }
    };
    Some(Member::Mark { mark, family })
}

fn addresses(line: &Node, diagnostics: &mut Diagnostics) -> Option<Member> {
    let word = &line.name;
    let text = word.lossy();
    let port = line.args.first();
    let number = port.map_or(Ok(0), read::port);
    let complaint = match (range(&text), number) {
        (Ok((first, last)), Ok(port)) => return Some(Member::Addresses { first, last, port }),
        (Err(Wrong::Said(message)), _) => message,
        (Err(Wrong::NoAddress), _) | (_, Err(_)) => {
            let port = port.map_or(String::new(), |port| format!("/port/{}", port.lossy()));
            format!("Invalid virtual server group IP address {text} {port} - skipping")
        }
    };
    let help = "ADDRESS, ADDRESS-LAST, FIRST-LAST or ADDRESS/PREFIX, then a port; or `fwmark MARK`";
    diagnostics.push(Diagnostic::error("keepalived/value", complaint).at(line.span).help(help));
    None
}

enum Wrong {
    NoAddress,
    Said(String),
}

/// `ADDRESS`, `ADDRESS-PART` (PART of the last byte or group of 16 bits), `FIRST-LAST` or
/// `ADDRESS/PREFIX`.
fn range(text: &str) -> Result<(IpAddr, IpAddr), Wrong> {
    let address = |text: &str| text.parse::<IpAddr>().map_err(|_| Wrong::NoAddress);
    if let Some((first, prefix)) = text.split_once('/') {
        return network(text, address(first)?, prefix);
    }
    let Some((first, last)) = text.split_once('-') else {
        let one = address(text)?;
        return Ok((one, one));
    };
    let first = address(first)?;
    if last.contains(['.', ':']) {
        let last = address(last)?;
        if first.is_ipv4() != last.is_ipv4() {
            return Err(Wrong::NoAddress);
        }
        let message =
            format!("Address range end is less than address range start - {text} - skipping");
        return if last < first { Err(Wrong::Said(message)) } else { Ok((first, last)) };
    }
    let most = if first.is_ipv4() { 0xff } else { 0xffff };
    let (digits, radix) =
        if first.is_ipv4() { ("0123456789", 10) } else { ("0123456789abcdefABCDEF", 16) };
    let length = last.find(|c| !digits.contains(c)).unwrap_or(last.len());
    if length < last.len() {
        let rest = &last[length..];
        let range = "Virtual server group range";
        return Err(Wrong::Said(format!("{range} '{text}' has extra characters at end '{rest}'")));
    }
    let number =
        if last.is_empty() { 0 } else { u32::from_str_radix(last, radix).unwrap_or(u32::MAX) };
    if number > most {
        let message = format!("Virtual server group range '{text}' end '{last}' too large");
        return Err(Wrong::Said(message));
    }
    let (from, last) = match first {
        IpAddr::V4(first) => {
            let [a, b, c, d] = first.octets();
            (u32::from(d), IpAddr::V4(Ipv4Addr::new(a, b, c, number as u8)))
        }
        IpAddr::V6(first) => {
            let mut groups = first.segments();
            let from = u32::from(groups[7]);
            groups[7] = number as u16;
            (from, IpAddr::V6(Ipv6Addr::from(groups)))
        }
    };
    if number <= from {
        let message = format!(
            "Address range end is not greater than address range start - {text} - skipping"
        );
        return Err(Wrong::Said(message));
    }
    Ok((first, last))
}

/// All of a network; its address has to be the network's.
fn network(text: &str, first: IpAddr, prefix: &str) -> Result<(IpAddr, IpAddr), Wrong> {
    let bits: u32 = if first.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix.parse::<u32>() {
        Ok(prefix) if (1..=bits).contains(&prefix) => prefix,
        _ => return Err(Wrong::Said(format!("Invalid netmask - {text} - skipping"))),
    };
    let number = match first {
        IpAddr::V4(first) => u128::from(u32::from(first)),
        IpAddr::V6(first) => u128::from(first),
    };
    let hosts = match bits - prefix {
        128 => u128::MAX,
        rest => (1 << rest) - 1,
    };
    if number & hosts != 0 {
        return Err(Wrong::Said(format!("Address mask bits not empty - {text} - skipping")));
    }
    let last = number | hosts;
    Ok((
        first,
        match first {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(last as u32)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(last)),
        },
    ))
}
