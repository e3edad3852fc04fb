//! nginx(8)'s options, and what was asked for by them.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::{CONF, ERROR_LOG, PREFIX};
use crate::runtime::version;

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) help: bool,
    pub(super) version: bool,
    pub(super) build: bool,
    pub(super) test: bool,
    pub(super) dump: bool,
    pub(super) quiet: bool,
    pub(super) conf: Option<OsString>,
    pub(super) error_log: Option<OsString>,
    pub(super) global: Option<OsString>,
    pub(super) prefix: Option<OsString>,
    pub(super) signal: Option<Order>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Stop,
    Quit,
    Reopen,
    Reload,
}

impl Order {
    fn named(name: &[u8]) -> Option<Order> {
        Some(match name {
            b"stop" => Order::Stop,
            b"quit" => Order::Quit,
            b"reopen" => Order::Reopen,
            b"reload" => Order::Reload,
            _ => return None,
        })
    }

    pub(super) fn signal(self) -> i32 {
        match self {
            Order::Stop => libc::SIGTERM,
            Order::Quit => libc::SIGQUIT,
            Order::Reopen => libc::SIGUSR1,
            Order::Reload => libc::SIGHUP,
        }
    }
}
/// Each argument is a bunch of letters; a letter that takes a value takes the rest of its argument
/// or the next one.
pub(super) fn parse(arguments: &[OsString]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let bytes = argument.as_bytes();
        let Some(mut letters) = bytes.strip_prefix(b"-") else {
            return Err(format!("invalid option: \"{}\"", argument.to_string_lossy()));
        };
        while let Some((letter, behind)) = letters.split_first() {
            letters = behind;
            let mut value = |what: &str| {
                let glued = std::mem::take(&mut letters);
                match (glued.is_empty(), glued) {
                    (false, glued) => Ok(OsString::from_vec(glued.to_vec())),
                    (true, _) => rest.next().cloned().ok_or_else(|| {
                        format!("option \"-{}\" requires {what}", char::from(*letter))
                    }),
                }
            };
            match letter {
                b'?' | b'h' => (asked.help, asked.version) = (true, true),
                b'v' => asked.version = true,
                b'V' => (asked.build, asked.version) = (true, true),
                b't' => asked.test = true,
                b'T' => (asked.test, asked.dump) = (true, true),
                b'q' => asked.quiet = true,
                b'c' => asked.conf = Some(value("file name")?),
                b'e' => asked.error_log = Some(value("file name")?),
                b'g' => asked.global = Some(value("parameter")?),
                b'p' => asked.prefix = Some(value("directory name")?),
                b's' => {
                    let name = value("parameter")?;
                    let order = Order::named(name.as_bytes());
                    asked.signal = Some(order.ok_or_else(|| {
                        format!("invalid option: \"-s {}\"", name.to_string_lossy())
                    })?);
                }
                other => {
                    return Err(format!("invalid option: \"{}\"", char::from(*other)));
                }
            }
        }
    }
    Ok(asked)
}

/// What works, as nginx's build names it: scripts and test suites look for these.
const MODULES: &str = "--with-stream --with-stream_ssl_module --with-stream_ssl_preread_module \
                       --with-stream_realip_module";

pub(super) fn say_version(asked: &Asked) {
    eprintln!("nginx version: {}", version::NGINX);
    if asked.build {
        eprintln!("built by evenkeel {}", version::EVENKEEL);
        eprintln!("built with {}", openssl::version::version());
        eprintln!("TLS SNI support enabled");
        eprintln!(
            "configure arguments: --prefix={PREFIX} --conf-path={CONF} --error-log-path={ERROR_LOG} --pid-path=/run/nginx.pid {MODULES}"
        );
    }
    if asked.help {
        eprintln!(
            "Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]
             [-e filename] [-c filename] [-g directives]

Options:
  -?,-h         : show this
  -v            : show the version
  -V            : show the version and how it was built
  -t            : test the configuration
  -T            : test the configuration and print all its files
  -q            : say nothing but errors while testing
  -s signal     : tell the running master: stop, quit, reopen, reload
  -p prefix     : where relative paths start (default: {PREFIX}/)
  -e filename   : error log until the configuration names one (default: {ERROR_LOG})
  -c filename   : configuration file (default: {CONF})
  -g directives : directives for the main context, beside the file
"
        );
    }
}
