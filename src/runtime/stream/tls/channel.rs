//! One TLS connection over a descriptor that never blocks.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use openssl::error::ErrorStack;
use openssl::ssl::{self, ErrorCode, Ssl, SslRef, SslStream};

use crate::kernel::openssl as native;
use crate::proxy::message;
use crate::tls::words;

#[derive(Debug)]
pub(in crate::runtime::stream) struct Channel {
    stream: SslStream<Wire>,
    /// The handshake is done.
    open: bool,
    /// OpenSSL must not be asked to do anything more.
    broken: bool,
}

/// How far a handshake has come.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::runtime::stream) enum Shake {
    Done,
    /// The next event goes on with it; `room`: it waits for room to write.
    Wait {
        room: bool,
    },
    /// With the log's words.
    Failed(String),
}

/// What came of reading or writing.
#[derive(Debug)]
pub(in crate::runtime::stream) enum Moved {
    Bytes(usize),
    Wait,
    /// No more will come.
    End,
    /// With the log's words.
    Failed(String),
}

impl Channel {
    /// A connection whose descriptor lives at least as long as it does.
    pub(in crate::runtime::stream) fn new(ssl: Ssl, socket: &OwnedFd) -> Result<Self, ErrorStack> {
        let wire = Wire { socket: socket.as_raw_fd(), drained: false };
        Ok(Self { stream: SslStream::new(ssl, wire)?, open: false, broken: false })
    }

    pub(in crate::runtime::stream) fn ssl(&self) -> &SslRef {
        self.stream.ssl()
    }

    pub(in crate::runtime::stream) fn shake(&mut self) -> Shake {
        match self.stream.do_handshake() {
            Ok(()) => {
                self.open = true;
                Shake::Done
            }
            Err(error) => match error.code() {
                ErrorCode::WANT_READ => Shake::Wait { room: false },
                ErrorCode::WANT_WRITE => Shake::Wait { room: true },
                _ => {
                    self.broken = true;
                    Shake::Failed(shake_words(&error))
                }
            },
        }
    }

    pub(in crate::runtime::stream) fn read(&mut self, into: &mut [u8]) -> Moved {
        let result = self.stream.ssl_read(into);
        self.moved(result, "SSL_read()")
    }

    /// What has come so far is read: more of it will make an event.
    pub(in crate::runtime::stream) fn is_drained(&self) -> bool {
        self.stream.get_ref().drained && !native::has_pending(self.stream.ssl())
    }

    /// What isn't taken has to be offered again, as it is.
    pub(in crate::runtime::stream) fn write(&mut self, bytes: &[u8]) -> Moved {
        let result = self.stream.ssl_write(bytes);
        self.moved(result, "SSL_write()")
    }

    fn moved(&mut self, result: Result<usize, ssl::Error>, call: &str) -> Moved {
        let error = match result {
            Ok(0) => return Moved::End,
            Ok(count) => return Moved::Bytes(count),
            Err(error) => error,
        };
        match error.code() {
            ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => return Moved::Wait,
            ErrorCode::ZERO_RETURN => return Moved::End,
            _ => self.broken = true,
        }
        match (error.io_error(), error.ssl_error()) {
            (Some(error), _) => Moved::Failed(format!("{call} failed {}", message::Errno(error))),
            (None, Some(stack)) => Moved::Failed(format!("{call} failed ({})", words::all(stack))),
            (None, None) => Moved::End,
        }
    }

    /// Says that nothing more will come, without waiting for the other side to say the same.
    pub(in crate::runtime::stream) fn finish(&mut self) {
        if self.open && !self.broken {
            self.broken = self.stream.shutdown().is_err();
        }
    }
}

fn shake_words(error: &ssl::Error) -> String {
    const CLOSED: &str = "peer closed connection in SSL handshake";
    match (error.io_error(), error.ssl_error()) {
        (Some(error), _) => format!("{CLOSED} {}", message::Errno(error)),
        (None, Some(stack)) if refused_by_name(stack) => "handshake rejected".to_owned(),
        (None, Some(stack)) if !stack.errors().is_empty() => {
            format!("SSL_do_handshake() failed ({})", words::all(stack))
        }
        (None, _) => CLOSED.to_owned(),
    }
}

/// Whether it was us, with `ssl_reject_handshake`: that is decided in the callback for names.
fn refused_by_name(stack: &ErrorStack) -> bool {
    /// `SSL_R_CALLBACK_FAILED`
    const CALLBACK_FAILED: i32 = 234;
    stack.errors().first().is_some_and(|error| error.reason_code() == CALLBACK_FAILED)
}

/// A descriptor as OpenSSL's transport.
#[derive(Debug)]
struct Wire {
    socket: RawFd,
    /// The last reading has emptied it.
    drained: bool,
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let received = recv(self.socket, into, MsgFlags::empty());
        self.drained = match received {
            Ok(count) => count < into.len(),
            Err(error) => error == Errno::EAGAIN,
        };
        Ok(received?)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.socket, bytes, MsgFlags::MSG_NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
