//! The system's logger at the other end of `/dev/log`.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Behind `/dev/log`: journald, rsyslogd or the like.
pub(super) struct Logger {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    /// It took too long: until it reads again, nobody waits for it.
    hangs: bool,
}

impl Logger {
    /// The kernel may hold as few as ten lines (net.unix.max_dgram_qlen): a burst has to wait for
    /// the logger to read, but a logger that hangs must not hang us.
    const PATIENCE: Duration = Duration::from_millis(250);

    pub(super) fn behind(path: &Path) -> Self {
        Self { path: path.to_owned(), socket: None, hangs: false }
    }

    pub(super) fn send(&mut self, line: &str) {
        if self.socket.is_none() {
            self.connect();
        }
        let Err(error) = self.try_send(line) else { return };
        if error.kind() == io::ErrorKind::WouldBlock {
            return;
        }
        // The logger was restarted, or has come up only now.
        self.connect();
        _ = self.try_send(line);
    }

    fn connect(&mut self) {
        let connect = || {
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(Self::PATIENCE))?;
            socket.connect(&self.path)?;
            io::Result::Ok(socket)
        };
        self.socket = connect().ok();
        self.hangs = false;
    }

    fn try_send(&mut self, line: &str) -> io::Result<()> {
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let sent = socket.send(line.as_bytes());
        let hangs = matches!(&sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        if hangs != self.hangs {
            socket.set_nonblocking(hangs)?;
            self.hangs = hangs;
        }
        sent.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A logger's socket, and a [`Logger`] that talks to it.
    fn logger(name: &str) -> (UnixDatagram, Logger) {
        let path = std::env::temp_dir().join(format!("ek-log-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (socket, Logger::behind(&path))
    }

    #[test]
    fn a_burst_reaches_a_logger_that_reads() {
        const LINES: usize = 2000;
        let (socket, mut logger) = logger("burst");
        let reader = std::thread::spawn(move || {
            let mut line = [0; 64];
            (0..LINES).filter(|_| socket.recv(&mut line).is_ok()).count()
        });
        for number in 0..LINES {
            logger.send(&format!("<30>line {number}"));
        }
        assert_eq!(reader.join().unwrap(), LINES);
    }

    #[test]
    fn nobody_waits_long_for_a_logger_that_hangs() {
        let (socket, mut logger) = logger("hangs");
        let start = Instant::now();
        (0..5000).for_each(|_| logger.send("<30>nobody reads this"));
        assert!(start.elapsed() < 4 * Logger::PATIENCE, "{:?}", start.elapsed());
        assert!(logger.hangs);
        socket.set_nonblocking(true).unwrap();
        while socket.recv(&mut [0; 64]).is_ok() {}
        logger.send("<30>it reads again");
        assert!(!logger.hangs);
        let mut line = [0; 64];
        let length = socket.recv(&mut line).unwrap();
        assert_eq!(&line[..length], b"<30>it reads again");
    }
}
