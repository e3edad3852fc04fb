//! Whether certificates are revoked: whom to ask about ours (`ssl_stapling`) and about clients'
//! (`ssl_ocsp`).

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::is_default;

/// Whom to ask, by plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Responder {
    /// As messages and the request have it.
    pub host: String,
    pub path: String,
    /// Of the host, with its port, found when the config was read.
    pub addresses: Vec<SocketAddr>,
}

/// `ssl_stapling`: what a server says of its own certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stapling {
    /// `ssl_stapling_verify`
    pub verify: bool,
    /// By the place of a certificate among the server's; those that nobody can be asked about
    /// aren't here.
    pub responders: Vec<(usize, Responder)>,
}

/// `ssl_ocsp`: what a server asks about its clients' certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    /// `leaf`: not about those that have signed it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub leaf: bool,
    /// `ssl_ocsp_responder`; `None`: the one that a certificate names.
    #[serde(default, skip_serializing_if = "is_default")]
    pub responder: Option<Responder>,
    /// `ssl_ocsp_cache shared:NAME:SIZE`, in bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache: Option<(String, usize)>,
}

/// A responder's URL, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    pub host: &'a str,
    pub port: u16,
    pub path: &'a str,
}

impl<'a> Url<'a> {
    /// `None`: it isn't `http://HOST[:PORT][/PATH]`.
    pub fn parse(text: &'a str) -> Option<Self> {
        let scheme = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"))?;
        let rest = &text[scheme.len()..];
        let (place, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "/"),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (place, 80),
        };
        // What would end the request's line is no part of a URL.
        let odd = |text: &str| text.bytes().any(|byte| byte <= b' ' || byte == 0x7f);
        (!host.is_empty() && port != 0 && !odd(text)).then_some(Self { host, port, path })
    }

    /// Its address, if that is what it names.
    pub fn address(&self) -> Option<SocketAddr> {
        let ip = self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }

    pub fn at(&self, addresses: Vec<SocketAddr>) -> Responder {
        Responder { host: self.host.to_owned(), path: self.path.to_owned(), addresses }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let parts = |text| Url::parse(text).map(|url| (url.host, url.port, url.path));
        assert_eq!(parts("http://a.example"), Some(("a.example", 80, "/")));
        assert_eq!(parts("HTTP://127.0.0.1:8888/a/b"), Some(("127.0.0.1", 8888, "/a/b")));
        assert_eq!(parts("http://[::1]:81/"), Some(("[::1]", 81, "/")));
        assert_eq!(parts("http://[::1]/x"), Some(("[::1]", 80, "/x")));
        for wrong in
            ["", "http:/", "ftp://a/", "http:///x", "http://a:0/", "http://a:b/", "http://a/ b"]
        {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
        assert_eq!(Url::parse("http://[::1]/").unwrap().address(), "[::1]:80".parse().ok());
    }
}
