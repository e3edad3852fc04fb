//! What is lent to the host's SNMP agent, and where that one is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::is_default;

/// `enable_snmp_*`, `enable_traps`, `snmp_socket`; `-x`, `-A`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snmp {
    /// keepalived's own MIB, as far as it is about instances.
    #[serde(skip_serializing_if = "is_default")]
    pub vrrp: bool,
    /// The same about checkers. None are run, so there is nothing to show.
    #[serde(skip_serializing_if = "is_default")]
    pub checker: bool,
    /// RFC 2787's MIB.
    #[serde(skip_serializing_if = "is_default")]
    pub rfc2: bool,
    /// RFC 6527's MIB.
    #[serde(skip_serializing_if = "is_default")]
    pub rfc3: bool,
    /// Changes of state are told, by whichever MIBs are shown.
    #[serde(skip_serializing_if = "is_default")]
    pub traps: bool,
    /// As it was written; `None`: [`USUAL`].
    #[serde(skip_serializing_if = "is_default")]
    pub socket: Option<String>,
}

/// Where net-snmp's agent listens.
pub const USUAL: &str = "unix:/var/agentx/master";
/// AgentX over TCP (RFC 2741, section 8.1.1).
const PORT: u16 = 705;

impl Snmp {
    /// Is there anything to lend?
    pub fn is_wanted(&self) -> bool {
        self.vrrp || self.rfc2 || self.rfc3
    }

    pub fn socket(&self) -> &str {
        self.socket.as_deref().unwrap_or(USUAL)
    }
}

/// Where a master agent is, in net-snmp's forms (snmpcmd(1), "AGENT SPECIFICATION").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Master {
    Unix(PathBuf),
    /// A name or an address.
    Tcp(String, u16),
}

impl Master {
    /// Or why it isn't one.
    pub fn parse(text: &str) -> Result<Master, &'static str> {
        if text.starts_with('/') {
            return Ok(Master::Unix(text.into()));
        }
        let (form, rest) = text.split_once(':').unwrap_or(("tcp", text));
        match form.to_ascii_lowercase().as_str() {
            "unix" if rest.starts_with('/') => Ok(Master::Unix(rest.into())),
            "unix" => Err("a path begins with a slash"),
            "tcp" | "tcp6" | "tcpv6" | "tcpipv6" => tcp(rest),
            "udp" | "udp6" | "udpv6" | "udpipv6" | "dtlsudp" | "tlstcp" | "ssh" | "ipx" => {
                Err("AgentX is spoken over unix: and tcp: only (RFC 2741, section 8)")
            }
            _ => tcp(text),
        }
    }
}

/// `HOST:PORT`, `[ADDRESS]:PORT`, or either of the two.
fn tcp(text: &str) -> Result<Master, &'static str> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None if text.parse::<u16>().is_ok() => ("localhost", Some(text)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("there is no host in it");
    }
    let port = port.map_or(Ok(PORT), str::parse).map_err(|_| "the port isn't a number")?;
    Ok(Master::Tcp(host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_is_where_net_snmp_would_look_for_it() {
        let unix = |path: &str| Ok(Master::Unix(path.into()));
        let tcp = |host: &str, port| Ok(Master::Tcp(host.to_owned(), port));
        assert_eq!(Master::parse("unix:/run/x"), unix("/run/x"));
        assert_eq!(Master::parse("/run/x"), unix("/run/x"));
        assert_eq!(Master::parse("tcp:localhost:705"), tcp("localhost", 705));
        assert_eq!(Master::parse("192.0.2.1:1705"), tcp("192.0.2.1", 1705));
        assert_eq!(Master::parse("tcp:1705"), tcp("localhost", 1705));
        assert_eq!(Master::parse("tcp6:[::1]:705"), tcp("::1", 705));
        assert_eq!(Master::parse("host"), tcp("host", 705));
        for wrong in ["unix:relative", "udp:1.2.3.4:705", "tcp:host:x", "tcp::705"] {
            assert!(Master::parse(wrong).is_err(), "{wrong}");
        }
    }
}
