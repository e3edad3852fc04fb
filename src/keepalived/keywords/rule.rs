//! Lines of `virtual_rules` and `static_rules`, as in ip-rule(8) with keepalived's limits.
//!
//! Which mistakes cost the whole line and which only a word was measured on keepalived 2.2.7.

use super::super::config::network::StaticRule;
use super::super::config::{At, KeepalivedConfig};
use super::super::iproute::{Names, whole, wide};
use super::cursor::{Cursor, Dropped};
use super::read;
use crate::plan::route::{PROTOCOL, Prefix, RouteKind, Rule, RuleAction};
use crate::text::{Diagnostics, Node, Word};

/// A rule without preference gets this one, the next one less.
const FIRST_PRIORITY: u32 = 16384;

pub(super) fn virtual_rules(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let rules = rules(config, node, diagnostics, false);
    let Some(instance) = config.instances.last_mut() else { return };
    instance.network.rules.extend(rules.into_iter().map(|read| read.rule));
}

pub(super) fn static_rules(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let rules = rules(config, node, diagnostics, true);
    config.statics.rules.extend(rules);
}

fn rules(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
    is_static: bool,
) -> Vec<StaticRule> {
    let mut rules = Vec::new();
    for line in node.body.iter().flatten() {
        let mut reader = Reader::new(&config.names, line, diagnostics, is_static);
        if reader.words().is_ok() {
            rules.extend(reader.finish(&mut config.statics.unnumbered_rules));
        }
    }
    rules
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    is_static: bool,
    rule: Rule,
    action: Option<RuleAction>,
    /// Of the first address, or as `inet` and `inet6` say.
    ipv6: Option<bool>,
    priority: Option<u32>,
    protocol: Option<u8>,
    group: Option<At<String>>,
}

impl<'a> Reader<'a> {
    fn new(
        names: &'a Names,
        line: &'a Node,
        diagnostics: &'a mut Diagnostics,
        is_static: bool,
    ) -> Self {
        let mut rule = Rule::new(RuleAction::Nop);
        rule.span.0 = line.span;
        Reader {
            cursor: Cursor::new(names, line, diagnostics, "rule"),
            is_static,
            rule,
            action: None,
            ipv6: None,
            priority: None,
            protocol: None,
            group: None,
        }
    }

    fn words(&mut self) -> Result<(), Dropped> {
        while let Some(word) = self.cursor.next() {
            match word.text.as_slice() {
                b"inet" => self.family(word, false)?,
                b"inet6" => self.family(word, true)?,
                b"not" => self.rule.inverted = true,
                b"from" => self.rule.from = self.prefix(word)?,
                b"to" => self.rule.to = self.prefix(word)?,
                b"table" | b"lookup" => {
                    let table = self.cursor.table(word)?;
                    if table == 0 {
                        return self.cursor.drop(word, "Table 0 is not valid");
                    }
                    self.act(word, RuleAction::Table(table))?;
                }
                b"goto" => {
                    let value = self.cursor.value(word)?;
                    let Ok(target) = read::number(value, 0..=u64::from(u32::MAX)) else {
                        return self.cursor.drop(value, "Invalid target goto specified");
                    };
                    self.act(word, RuleAction::Goto(target as u32))?;
                }
                b"nop" => self.act(word, RuleAction::Nop)?,
                b"l3mdev" => self.act(word, RuleAction::L3mdev)?,
                b"type" => {
                    let value = self.cursor.value(word)?;
                    self.kind(value)?;
                }
                b"priority" | b"preference" | b"order" => {
                    let value = self.cursor.value(word)?;
                    match read::number(value, 0..=u64::from(u32::MAX)) {
                        Ok(number) => self.priority = Some(number as u32),
                        Err(_) => {
                            let message =
                                format!("Invalid rule preference {} specified", word.lossy());
                            return self.cursor.drop(value, message);
                        }
                    }
                }
                b"iif" | b"dev" => {
                    self.rule.iif = Some(self.cursor.value(word)?.lossy().into_owned());
                }
                b"oif" => self.rule.oif = Some(self.cursor.value(word)?.lossy().into_owned()),
                b"tos" | b"dsfield" => self.rule.tos = self.cursor.tos(word)?,
                b"fwmark" => self.mark(word)?,
                b"realms" => self.rule.realms = Some(self.cursor.realms(word)?),
                b"suppress_prefixlength" => {
                    let name = "suppress_prefixlength";
                    self.rule.suppress_prefixlength =
                        Some(self.cursor.number(word, name, i32::MAX as u32)?);
                }
                b"suppress_ifgroup" => self.group(word)?,
                b"uidrange" => self.uids(word)?,
                b"ipproto" => self.ip_protocol(word)?,
                b"sport" => self.rule.source_ports = self.ports(word)?,
                b"dport" => self.rule.destination_ports = self.ports(word)?,
                b"tunnel-id" => {
                    let value = self.cursor.value(word)?;
                    match value.as_str().and_then(wide) {
                        Some(id) => self.rule.tunnel_id = Some(id),
                        None => {
                            let message = format!("Invalid tunnel-id {}", value.lossy());
                            return self.cursor.drop(value, message);
                        }
                    }
                }
                b"protocol" => self.protocol = Some(self.cursor.protocol(word)?),
                b"no_track" => self.rule.untracked = true,
                b"track_group" if self.is_static => {
                    self.group = Some(read::text(self.cursor.value(word)?));
                }
                _ => self.kind(word)?,
            }
        }
        Ok(())
    }

    /// `unnumbered`: how many rules without preference there were, IPv4 and IPv6.
    fn finish(mut self, unnumbered: &mut [u32; 2]) -> Option<StaticRule> {
        let first = &self.cursor.line().name;
        let ipv6 = self.ipv6 == Some(true);
        let Some(action) = self.action else {
            self.cursor.complain(first, "No action specified for rule - ignoring");
            return None;
        };
        if let (RuleAction::Goto(target), Some(priority)) = (action, self.priority)
            && priority >= target
        {
            let message = format!("Invalid rule - preference {priority} >= goto target {target}");
            self.cursor.complain(first, message);
            return None;
        }
        if self.group.is_some() && self.rule.iif.is_none() {
            let message = "Static rule cannot have track_group if dev/iif not specified";
            self.cursor.complain(first, message);
            self.group = None;
        }
        if !self.rule.untracked && self.protocol.is_some_and(|it| it != PROTOCOL) {
            let message = "Rule cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), \
                           resetting protocol";
            self.cursor.complain(first, message);
            self.protocol = None;
        }
        let priority = self.priority.unwrap_or_else(|| {
            let assigned = &mut unnumbered[usize::from(ipv6)];
            let priority = FIRST_PRIORITY.saturating_sub(*assigned);
            *assigned += 1;
            let message = format!(
                "Rule has no preference specified - setting to {priority}. This is probably not \
                 what you want."
            );
            self.cursor.advise(first, message, "say `priority NUMBER`: the lowest is asked first");
            priority
        });
        // As measured: a rule that nobody watches bears nobody's name.
        let unsaid = if self.rule.untracked { 0 } else { PROTOCOL };
        let protocol = self.protocol.unwrap_or(unsaid);
        Some(StaticRule {
            rule: Rule { ipv6, priority, action, protocol, ..self.rule },
            group: self.group,
        })
    }

    fn family(&mut self, word: &Word, ipv6: bool) -> Result<(), Dropped> {
        if *self.ipv6.get_or_insert(ipv6) != ipv6 {
            return self.cursor.drop(word, "rule specification has mixed IPv4 and IPv6");
        }
        Ok(())
    }

    fn act(&mut self, word: &Word, action: RuleAction) -> Result<(), Dropped> {
        if self.action.replace(action).is_some() {
            return self.cursor.drop(
                word,
                "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable/\
                 l3mdev for rule",
            );
        }
        Ok(())
    }

    /// The word for what happens to packets.
    fn kind(&mut self, word: &Word) -> Result<(), Dropped> {
        let action = match word.text.as_slice() {
            b"blackhole" => RuleAction::Blackhole,
            b"prohibit" => RuleAction::Prohibit,
            b"unreachable" => RuleAction::Unreachable,
            _ => {
                let text = word.lossy();
                let known = RouteKind::WORDS.iter().any(|(name, _)| word.is(name));
                let message = match known || whole(&text).is_some() {
                    true => format!("Invalid rule action {text}"),
                    false => format!("Unknown rule option {text}"),
                };
                return self.cursor.drop(word, message);
            }
        };
        self.act(word, action)
    }

    /// `None`: from (to) anywhere.
    fn prefix(&mut self, option: &Word) -> Result<Option<Prefix>, Dropped> {
        let word = self.cursor.value(option)?;
        if super::route::ANYWHERE.iter().any(|any| word.is(any)) {
            return Ok(None);
        }
        let Some(prefix) = self.cursor.prefix(word) else {
            let message = format!("Invalid rule {} address {}", option.lossy(), word.lossy());
            return self.cursor.drop(word, message);
        };
        self.family(word, prefix.address.is_ipv6())?;
        Ok(Some(prefix).filter(|prefix| prefix.length > 0))
    }

    /// `MARK[/MASK]`
    fn mark(&mut self, option: &Word) -> Result<(), Dropped> {
        let word = self.cursor.value(option)?;
        let text = word.lossy();
        let mark = match text.split_once('/') {
            Some((mark, mask)) => {
                whole(mark).zip(whole(mask)).map(|(mark, mask)| (mark, Some(mask)))
            }
            None => whole(&text).map(|mark| (mark, None)),
        };
        if mark.is_none() {
            return self.cursor.drop(word, format!("Invalid rule fwmark {text} specified"));
        }
        self.rule.fwmark = mark;
        Ok(())
    }

    fn group(&mut self, option: &Word) -> Result<(), Dropped> {
        let word = self.cursor.value(option)?;
        self.rule.suppress_ifgroup = self.cursor.names.groups.find(word, u32::MAX);
        if self.rule.suppress_ifgroup.is_none() {
            let message = format!("suppress_group {} is invalid", word.lossy());
            return self.cursor.drop(word, message);
        }
        Ok(())
    }

    fn uids(&mut self, option: &Word) -> Result<(), Dropped> {
        let word = self.cursor.value(option)?;
        let text = word.lossy();
        let range = text.split_once('-').and_then(|(low, high)| whole(low).zip(whole(high)));
        if range.is_none() {
            return self.cursor.drop(word, "Invalid uidrange uidrange specified");
        }
        self.rule.uids = range;
        Ok(())
    }

    fn ip_protocol(&mut self, option: &Word) -> Result<(), Dropped> {
        let word = self.cursor.value(option)?;
        let text = word.lossy().to_ascii_lowercase();
        let named = IP_PROTOCOLS.iter().find(|(name, _)| *name == text);
        let number = named.map(|(_, number)| *number);
        self.rule.ip_protocol = number.or_else(|| text.parse().ok());
        if self.rule.ip_protocol.is_none() {
            self.cursor.complain(word, format!("Invalid ipproto {}", word.lossy()));
        }
        Ok(())
    }

    /// `LOW-HIGH`; anything else costs the restriction, not the rule.
    fn ports(&mut self, option: &Word) -> Result<Option<(u16, u16)>, Dropped> {
        let word = self.cursor.value(option)?;
        let text = word.lossy();
        let parse = |text: &str| text.parse::<u16>().ok();
        let range = text.split_once('-').and_then(|(low, high)| parse(low).zip(parse(high)));
        if range.is_none() {
            let message = format!("invalid {} range {text}", option.lossy());
            self.cursor.advise(word, message, "write LOW-HIGH; a single port is PORT-PORT");
        }
        Ok(range)
    }
}

/// Of /etc/protocols, those that somebody may write a rule for.
const IP_PROTOCOLS: [(&str, u8); 17] = [
    ("icmp", 1),
    ("igmp", 2),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
];
