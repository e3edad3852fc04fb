//! `syslog:server=…[,facility=…][,tag=…][,severity=…][,nohostname]`, of error and access logs.
//! Messages were watched on nginx 1.22.

use std::net::SocketAddr;

use super::error_log::LEVELS;
use crate::nginx::config::{NginxConfig, Question};
use crate::plan::endpoint::Endpoint;
use crate::plan::process::{LogLevel, Syslog, SyslogServer};
use crate::text::{Diagnostic, Diagnostics, Word};

/// By number, as syslog(3) has them; a gap is none of nginx's.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv",
    "ftp", "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];
const PORT: u16 = 514;
const LONGEST_TAG: usize = 32;

/// What `parameters` (behind `syslog:`) say; they are a part of `word`.
pub(super) fn read(
    config: &mut NginxConfig,
    parameters: &str,
    word: &Word,
    out: &mut Diagnostics,
) -> Option<Syslog> {
    match Given::read(parameters) {
        Ok(Given { server: Some((text, server)), facility, severity, tag, nohostname }) => {
            let server = match server {
                Server::Known(server) => server,
                Server::Name(name, port) => {
                    // Whoever resolves names puts the address in its place.
                    let question = Question::SyslogServer { name, port, text, span: word.span };
                    config.questions.push(question);
                    SyslogServer::Udp(SocketAddr::from(([0, 0, 0, 0], port)))
                }
            };
            Some(Syslog {
                server,
                facility: facility.unwrap_or(23),
                severity: severity.unwrap_or(LogLevel::Info),
                tag: tag.unwrap_or_else(|| "nginx".to_owned()),
                nohostname,
            })
        }
        Ok(_) => {
            let message = "no syslog server specified";
            out.push(Diagnostic::error("nginx/invalid-parameter", message).at(word.span));
            None
        }
        Err(message) => {
            out.push(Diagnostic::error("nginx/invalid-parameter", message).at(word.span));
            None
        }
    }
}

#[derive(Default)]
struct Given {
    server: Option<(String, Server)>,
    facility: Option<u8>,
    severity: Option<LogLevel>,
    tag: Option<String>,
    nohostname: bool,
}

enum Server {
    Known(SyslogServer),
    Name(String, u16),
}

impl Given {
    fn read(parameters: &str) -> Result<Self, String> {
        let mut given = Given::default();
        for parameter in parameters.split(',') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let duplicate = |is: bool| match is {
                true => Err(format!("duplicate syslog \"{name}\"")),
                false => Ok(()),
            };
            match name {
                "nohostname" if parameter == name => given.nohostname = true,
                "server" if parameter != name => {
                    duplicate(given.server.is_some())?;
                    given.server = Some((value.to_owned(), server(value)?));
                }
                "facility" if parameter != name => {
                    duplicate(given.facility.is_some())?;
                    let number = FACILITIES.iter().position(|known| *known == value);
                    let number = number.ok_or(format!("unknown syslog facility \"{value}\""))?;
                    given.facility = Some(number as u8);
                }
                "severity" if parameter != name => {
                    duplicate(given.severity.is_some())?;
                    let level = LEVELS.iter().find(|(known, _)| *known == value);
                    let (_, level) = level.ok_or(format!("unknown syslog severity \"{value}\""))?;
                    given.severity = Some(*level);
                }
                "tag" if parameter != name => {
                    duplicate(given.tag.is_some())?;
                    if value.len() > LONGEST_TAG {
                        return Err(format!("syslog tag length exceeds {LONGEST_TAG}"));
                    }
                    if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                        let message = "syslog \"tag\" only allows alphanumeric characters and \
                                       underscore";
                        return Err(message.to_owned());
                    }
                    given.tag = Some(value.to_owned());
                }
                _ => return Err(format!("unknown syslog parameter \"{parameter}\"")),
            }
        }
        Ok(given)
    }
}

fn server(text: &str) -> Result<Server, String> {
    let complain = |what: &str| format!("{what} in syslog server \"{text}\"");
    let port = |ports: Option<std::ops::RangeInclusive<u16>>| ports.map_or(PORT, |it| *it.start());
    Ok(match Endpoint::peer(text).map_err(complain)? {
        Endpoint::Unix(path) => Server::Known(SyslogServer::Unix(path)),
        Endpoint::Ip { address, ports } => {
            Server::Known(SyslogServer::Udp(SocketAddr::new(address, port(ports))))
        }
        Endpoint::Name { name, ports } => Server::Name(name, port(ports)),
        Endpoint::Any { .. } => return Err(complain("no host")),
    })
}
