//! The Plan's TLS out of what was typed: files are read, contexts are made to see that OpenSSL
//! agrees, and complaints are nginx's, in its order. Only what is used is read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::{Client, Common, Server, revocation};
use crate::host::Host;
use crate::plan::Secret;
use crate::plan::tls::{ClientTls, File, Pair, ServerTls, SessionCache, Tls, Verify, Version};
use crate::tls::{context, material, words};

/// What nginx needs to have a zone at all.
const SMALLEST: usize = 8 * 4096;
const VERSIONS: [Version; 2] = [Version::Tls12, Version::Tls13];

/// Where files are.
pub(in crate::nginx) struct Place<'a> {
    pub(in crate::nginx) host: &'a dyn Host,
    /// Relative names start at the folder of nginx.conf.
    pub(in crate::nginx) folder: &'a Path,
}

/// A complaint, and whether it is about the `listen … ssl` line.
pub(in crate::nginx) struct Complaint {
    pub(in crate::nginx) message: String,
    pub(in crate::nginx) about_listen: bool,
    /// It ends with where reading the config has come to.
    pub(in crate::nginx) about_end: bool,
}

impl From<String> for Complaint {
    fn from(message: String) -> Self {
        Complaint { message, about_listen: false, about_end: false }
    }
}

/// Certificates with variables, as typed: certificate and key.
pub(in crate::nginx) type Late = Vec<(BString, BString)>;

/// Of a server with `listen … ssl`; `needed`: no other server's certificate could serve it.
pub(in crate::nginx) fn server(
    typed: &Server,
    place: &Place<'_>,
    needed: bool,
    warnings: &mut Vec<String>,
) -> Result<(ServerTls, Late), Complaint> {
    let reject = typed.reject.unwrap_or(false);
    let (tls, late) = certificates(&typed.common, place, |missing| match missing {
        Missing::Certificate if reject || !needed => None,
        Missing::Certificate => Some("no \"ssl_certificate\" is defined for the".to_owned()),
        Missing::AllKeys => Some("no \"ssl_certificate_key\" is defined for the".to_owned()),
        Missing::Key(name) => Some(format!(
            "no \"ssl_certificate_key\" is defined for certificate \"{name}\" and the"
        )),
    })
    .map_err(|complaint| match complaint.about_listen {
        true => Complaint {
            message: format!("{} \"listen ... ssl\" directive", complaint.message),
            ..complaint
        },
        false => complaint,
    })?;
    let verify = typed.verify.unwrap_or_default();
    let mut plan = ServerTls {
        tls: Tls {
            ciphers: typed.common.ciphers.clone().unwrap_or_else(|| "HIGH:!aNULL:!MD5".to_owned()),
            alpn: texts(typed.common.alpn.as_deref()),
            ..tls
        },
        handshake_timeout: typed.handshake_timeout.unwrap_or(Duration::from_secs(60)),
        prefer_server_ciphers: typed.prefer_server_ciphers.unwrap_or(false),
        curves: typed.curves.clone().filter(|curves| curves != "auto"),
        dhparam: None,
        verify,
        announced: 0,
        cache: typed.cache.clone().unwrap_or_default(),
        session_timeout: typed.session_timeout.unwrap_or(Duration::from_secs(300)),
        tickets: typed.tickets.unwrap_or(true),
        ticket_keys: Vec::new(),
        reject,
        staple: None,
        stapling: None,
        ocsp: None,
    };
    let stapling = typed.stapling.unwrap_or(false);
    if verify == Verify::Off
        && stapling
        && let Some(name) = &typed.common.trusted
    {
        plan.tls.trusted.push(place.load(name, "SSL_CTX_load_verify_locations")?);
    }
    if verify != Verify::Off {
        let (announced, trusted) = (&typed.client_certificate, &typed.common.trusted);
        if announced.is_none() && trusted.is_none() && verify != Verify::OptionalNoCa {
            return Err("no ssl_client_certificate for ssl_verify_client".to_owned().into());
        }
        plan.announced = usize::from(announced.is_some());
        for name in announced.iter().chain(trusted) {
            plan.tls.trusted.push(place.load(name, "SSL_CTX_load_verify_locations")?);
        }
        if let Some(name) = &typed.common.revoked {
            plan.tls.revoked = Some(place.load(name, "X509_LOOKUP_load_file")?);
        }
    }
    if let Some(name) = &typed.dhparam {
        plan.dhparam = Some(place.file(name, |path, said| {
            format!("BIO_new_file(\"{}\") failed ({said})", path.display())
        })?);
    }
    context::server(&plan, None, None)?;
    if stapling {
        revocation::staple(typed, place, &mut plan, warnings)?;
    }
    plan.ocsp = revocation::inquiry(typed, place, verify)?.filter(|_| verify != Verify::Off);
    for name in typed.ticket_keys.iter().flatten() {
        plan.ticket_keys.push(place.ticket_key(name)?);
    }
    Ok((plan, late))
}

/// Of a server with `proxy_ssl on`. The name is the caller's.
pub(in crate::nginx) fn client(
    typed: &Client,
    place: &Place<'_>,
) -> Result<(ClientTls, Late), Complaint> {
    let (tls, late) = certificates(&typed.common, place, |missing| match missing {
        Missing::Certificate => None,
        Missing::AllKeys => {
            let name = typed.common.certificates.iter().flatten().next()?;
            Some(format!("no \"proxy_ssl_certificate_key\" is defined for certificate \"{name}\""))
        }
        Missing::Key(name) => {
            Some(format!("no \"proxy_ssl_certificate_key\" is defined for certificate \"{name}\""))
        }
    })
    .map_err(|complaint| Complaint { about_listen: false, ..complaint })?;
    let verify = typed.verify.unwrap_or(false);
    let mut plan = ClientTls {
        tls: Tls {
            ciphers: typed.common.ciphers.clone().unwrap_or_else(|| "DEFAULT".to_owned()),
            ..tls
        },
        reuse_sessions: typed.reuse_sessions.unwrap_or(true),
        verify,
        send_name: typed.send_name.unwrap_or(false),
        name: None,
        offers: Vec::new(),
    };
    if verify {
        let Some(name) = &typed.common.trusted else {
            return Err("no proxy_ssl_trusted_certificate for proxy_ssl_verify".to_owned().into());
        };
        plan.tls.trusted.push(place.load(name, "SSL_CTX_load_verify_locations")?);
        if let Some(name) = &typed.common.revoked {
            plan.tls.revoked = Some(place.load(name, "X509_LOOKUP_load_file")?);
        }
    }
    context::client(&plan, None)?;
    Ok((plan, late))
}

/// What a list of certificates and keys lacks.
enum Missing<'a> {
    Certificate,
    AllKeys,
    /// For this certificate.
    Key(&'a BString),
}

fn certificates(
    typed: &Common,
    place: &Place<'_>,
    complain: impl Fn(Missing<'_>) -> Option<String>,
) -> Result<(Tls, Late), Complaint> {
    let mut tls = Tls {
        versions: typed.versions.clone().unwrap_or_else(|| VERSIONS.to_vec()),
        verify_depth: u32::try_from(typed.verify_depth.unwrap_or(1)).unwrap_or(u32::MAX),
        commands: typed.commands.clone().unwrap_or_default(),
        certificate_cache: typed.certificate_cache.clone().flatten(),
        ..Tls::default()
    };
    let none = Vec::new();
    let names = typed.certificates.as_ref().unwrap_or(&none);
    let keys = typed.keys.as_ref().unwrap_or(&none);
    let missing = match names.get(keys.len()) {
        _ if names.is_empty() => complain(Missing::Certificate),
        Some(_) if keys.is_empty() => complain(Missing::AllKeys),
        Some(_) => names.last().and_then(|name| complain(Missing::Key(name))),
        None => None,
    };
    if let Some(message) = missing {
        return Err(Complaint { message, about_listen: true, about_end: false });
    }
    let mut late = Late::new();
    for (certificate, key) in names.iter().zip(keys) {
        if certificate.contains(&b'$') || key.contains(&b'$') {
            late.push((certificate.clone(), key.clone()));
            continue;
        }
        let passwords = typed.passwords.as_deref().unwrap_or_default();
        tls.certificates.push(place.pair(certificate, key, passwords)?);
    }
    Ok((tls, late))
}

impl Place<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `complain` gets the path and what OpenSSL would say.
    pub(super) fn file(
        &self,
        name: &str,
        complain: impl Fn(&Path, &str) -> String,
    ) -> Result<File, Complaint> {
        let path = self.path(name);
        match self.host.read(&path) {
            Ok(bytes) => Ok(File { name: path.display().to_string(), bytes: Secret::new(bytes) }),
            // OpenSSL finds that a folder can be opened, and that there is nothing in it.
            Err(error) if error.raw_os_error() == Some(libc::EISDIR) => {
                Ok(File { name: path.display().to_string(), bytes: Secret::new(Vec::new()) })
            }
            Err(error) => Err(complain(&path, &words::unreadable(&path, &error)).into()),
        }
    }

    /// A file of authorities.
    fn load(&self, name: &str, call: &str) -> Result<File, Complaint> {
        self.file(name, |path, said| {
            let path = path.display();
            format!("{call}(\"{path}\") failed ({said} error:05880002:x509 certificate routines::system lib)")
        })
    }

    /// A file, or the text behind `data:`.
    fn pem(&self, name: &BString, what: &str) -> Result<File, Complaint> {
        if let Some(data) = name.strip_prefix(b"data:") {
            return Ok(File { name: name.to_string(), bytes: Secret::new(data) });
        }
        self.file(&name.to_str_lossy(), |path, said| {
            format!("cannot load {what} \"{}\": BIO_new_file() failed ({said})", path.display())
        })
    }

    fn pair(&self, name: &BString, key: &BString, passwords: &[Secret]) -> Result<Pair, Complaint> {
        let certificate = self.pem(name, "certificate")?;
        material::chain(&certificate.name, certificate.bytes.expose())?;
        for scheme in ["engine:", "store:"] {
            if key.starts_with(scheme.as_bytes()) {
                return Err(format!(
                    "cannot load certificate key \"{key}\": keys in engines and stores of OpenSSL \
                     are not supported by evenkeel"
                )
                .into());
            }
        }
        let mut key = self.pem(key, "certificate key")?;
        let opened = material::key(&key.name, key.bytes.expose(), passwords)?;
        // From here on it needs no password: whoever serves with it isn't asked.
        let pem = opened.private_key_to_pem_pkcs8();
        key.bytes = Secret::new(pem.map_err(|error| words::all(&error))?);
        Ok(Pair { certificate, key })
    }

    fn ticket_key(&self, name: &str) -> Result<Secret, Complaint> {
        let path = self.path(name);
        let at_end = |message| Complaint { message, about_listen: false, about_end: true };
        let bytes = self.host.read(&path).map_err(|error| at_end(unopened(&path, &error)))?;
        if bytes.len() != 48 && bytes.len() != 80 {
            return Err(at_end(format!("\"{}\" must be 48 or 80 bytes", path.display())));
        }
        Ok(Secret::new(bytes))
    }

    /// One password a line.
    pub(in crate::nginx) fn passwords(&self, name: &str) -> Result<Vec<Secret>, String> {
        let path = self.path(name);
        let bytes = self.host.read(&path).map_err(|error| unopened(&path, &error))?;
        let line = |line: &[u8]| Secret::new(line.strip_suffix(b"\r").unwrap_or(line));
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        // What the last line's end leaves; an empty file is one empty password.
        if lines.len() > 1 && lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        Ok(lines.into_iter().map(line).collect())
    }
}

/// In nginx's words.
fn unopened(path: &Path, error: &std::io::Error) -> String {
    let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    format!("open() \"{}\" failed ({}: {})", path.display(), errno as i32, errno.desc())
}

fn texts(words: Option<&[BString]>) -> Vec<String> {
    words.unwrap_or_default().iter().map(|word| word.to_str_lossy().into_owned()).collect()
}

/// `off` or `shared:NAME:SIZE`
pub(in crate::nginx) fn ocsp_cache(
    word: &str,
    bytes: impl Fn(&str) -> Option<usize>,
) -> Result<Option<(String, usize)>, String> {
    let invalid = || format!("invalid OCSP cache \"{word}\"");
    if word == "off" {
        return Ok(None);
    }
    let rest = word.strip_prefix("shared:").ok_or_else(invalid)?;
    let (name, size) = rest.split_once(':').ok_or_else(invalid)?;
    let size = bytes(size).filter(|_| !name.is_empty()).ok_or_else(invalid)?;
    match size < SMALLEST {
        true => Err(format!("OCSP cache \"{word}\" is too small")),
        false => Ok(Some((name.to_owned(), size))),
    }
}

/// `off`, `none`, `builtin[:N]` and `shared:NAME:SIZE`, of which the last one of each counts.
pub(in crate::nginx) fn session_cache(
    words: &[&str],
    bytes: impl Fn(&str) -> Option<usize>,
) -> Result<SessionCache, String> {
    let mut cache = SessionCache::None;
    for word in words {
        let invalid = || format!("invalid session cache \"{word}\"");
        let (kind, rest) = word.split_once(':').unwrap_or((word, ""));
        cache = match kind {
            "off" if rest.is_empty() => SessionCache::Off,
            "none" if rest.is_empty() => SessionCache::None,
            "builtin" => match (&cache, word.contains(':')) {
                (SessionCache::Shared { .. }, _) => continue,
                (_, false) => SessionCache::Builtin(0),
                (_, true) => SessionCache::Builtin(rest.parse().map_err(|_| invalid())?),
            },
            "shared" => {
                let (name, size) = rest.split_once(':').ok_or_else(invalid)?;
                let size = bytes(size).ok_or_else(invalid)?;
                if name.is_empty() {
                    return Err(invalid());
                }
                if size < SMALLEST {
                    return Err(format!("session cache \"{word}\" is too small"));
                }
                SessionCache::Shared { name: name.to_owned(), size }
            }
            _ => return Err(invalid()),
        };
    }
    Ok(cache)
}
