//! Virtual servers and BFD sessions for `evenkeel plan`.

use crate::plan::bfd::BfdSession;
use crate::plan::checker::{
    Check, CheckKind, CheckerPlan, Forwarding, Member, Target, TunnelKind, VirtualService,
};

/// Lines with their indents.
pub(super) fn describe(plan: &CheckerPlan, sessions: &[BfdSession]) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    if !plan.services.is_empty() {
        lines.push((0, "virtual servers (checked, not run yet)".to_owned()));
        plan.services.iter().for_each(|it| service(it, &mut lines));
    }
    if !sessions.is_empty() {
        lines.push((0, "BFD (checked, not run yet)".to_owned()));
        for session in sessions {
            let source = session.source.map_or(String::new(), |it| format!(" from {it}"));
            let words = format!(
                "session {}: with {}{source}, sends every {} ms, down after {} lost",
                session.name,
                session.neighbor,
                session.send.as_secs_f64() * 1000.0,
                session.multiplier
            );
            lines.push((2, words));
        }
    }
    lines
}

fn service(service: &VirtualService, lines: &mut Vec<(usize, String)>) {
    let protocol = service.protocol.map_or(String::new(), |it| format!(" {}", it.name()));
    let target = target(&service.target);
    let persistence = service
        .persistence
        .as_ref()
        .map_or(String::new(), |it| format!(", persistent for {} s", it.timeout.as_secs()));
    let words = format!("{target}{protocol}: {}, quorum {}", service.scheduler, service.quorum);
    lines.push((2, words + &persistence));
    if let Target::Group { members, .. } = &service.target {
        for member in members {
            lines.push((4, format!("for {}", self::member(member))));
        }
    }
    for server in &service.servers {
        let method = forwarding(server.forwarding);
        let port = server.port;
        let words =
            format!("server {} port {port}, weight {}, {method}", server.address, server.weight);
        lines.push((4, words));
        for check in &server.checks {
            lines.push((6, self::check(check)));
        }
    }
    if let Some(sorry) = &service.sorry {
        let method = forwarding(sorry.forwarding);
        lines.push((4, format!("sorry server {} port {}, {method}", sorry.address, sorry.port)));
    }
}

fn target(target: &Target) -> String {
    match target {
        Target::Address { address, port: 0 } => format!("{address} all ports"),
        Target::Address { address, port } => format!("{address} port {port}"),
        Target::Mark(mark) => format!("firewall mark {mark}"),
        Target::Group { name, .. } => format!("group {name}"),
    }
}

fn member(member: &Member) -> String {
    match member {
        Member::Addresses { first, last, port } if first == last => format!("{first} port {port}"),
        Member::Addresses { first, last, port } => format!("{first} to {last} port {port}"),
        Member::Mark { mark, .. } => format!("firewall mark {mark}"),
    }
}

fn forwarding(forwarding: Forwarding) -> String {
    match forwarding {
        Forwarding::Nat => "by NAT".to_owned(),
        Forwarding::Direct => "by direct routing".to_owned(),
        Forwarding::Tunnel(tunnel) => match tunnel.kind {
            TunnelKind::Ipip => "by IPIP tunnel".to_owned(),
            TunnelKind::Gue { port } => format!("by GUE tunnel to port {port}"),
            TunnelKind::Gre => "by GRE tunnel".to_owned(),
        },
    }
}

fn check(check: &Check) -> String {
    let mut words = check.kind.keyword().to_owned();
    match &check.kind {
        CheckKind::Http(http) => {
            let paths: Vec<_> = http.urls.iter().map(|url| url.path.as_str()).collect();
            words += &format!(" {}", paths.join(", "));
        }
        CheckKind::Dns { query, name } => words += &format!(" {query} {name}"),
        CheckKind::Misc(misc) => words += &format!(" `{}`", misc.argv.join(" ")),
        CheckKind::File { file, .. } => words += &format!(" {file}"),
        CheckKind::Bfd { session } => words += &format!(" {session}"),
        _ => {}
    }
    if let Some(connection) = &check.connection {
        words += &format!(" at {} port {}", connection.address, connection.port);
    }
    if let Some(timing) = &check.timing {
        words += &format!(" every {} s, retry {}", timing.interval.as_secs_f64(), timing.retries);
    }
    words
}
