//! One place that lines go to, and what it didn't take: a full disk costs lines, which are counted;
//! the others are told once, and the place itself how many, as soon as it takes some again.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::logger::Logger;
use super::remote::Remote;
use super::{Output, reason};
use crate::kernel::file::is_shortage;
use crate::kernel::local_time::LocalTime;

pub(super) enum Sink {
    Stderr(Gap),
    File(LogFile),
    Syslog(Syslog),
    Remote(Remote),
}

pub(super) struct LogFile {
    path: PathBuf,
    /// `None`: there was no room for it yet.
    file: Option<File>,
    gap: Gap,
}

impl Sink {
    /// `patient`: a file for which there is no room now may come later.
    pub(super) fn open(output: &Output, patient: bool) -> io::Result<Sink> {
        Ok(match output {
            Output::Stderr => Sink::Stderr(Gap::default()),
            Output::Syslog { facility } => {
                let logger = Logger::behind(Path::new("/dev/log"));
                Sink::Syslog(Syslog { facility: *facility, logger })
            }
            Output::Remote(syslog) => Sink::Remote(Remote::new(syslog.clone())),
            Output::File(path) => {
                let file = match open(path) {
                    Ok(file) => Some(file),
                    Err(error) if patient && is_shortage(&error) => None,
                    Err(error) => return Err(failed(path, &error)),
                };
                Sink::File(LogFile { path: path.clone(), file, gap: Gap::default() })
            }
        })
    }

    /// After somebody has moved a file away. One that can't be opened stays.
    pub(super) fn open_anew(&mut self) -> io::Result<()> {
        let Sink::File(LogFile { path, file, .. }) = self else { return Ok(()) };
        *file = Some(open(path).map_err(|error| failed(path, &error))?);
        Ok(())
    }

    /// Writes a line, after one about those that were lost. Error: what to tell others, once.
    pub(super) fn write(
        &mut self,
        line: &str,
        about_lost: impl FnOnce(u64) -> String,
    ) -> Result<(), String> {
        match self {
            Sink::Syslog(_) | Sink::Remote(_) => Ok(()),
            Sink::Stderr(gap) => gap
                .write(Ok(io::stderr()), line, about_lost)
                .map_err(|error| format!("standard error: lines are lost ({})", reason(&error))),
            Sink::File(LogFile { path, file, gap }) => {
                let opened = match file {
                    Some(file) => Ok(file),
                    None => open(path).map(|new| file.insert(new)),
                };
                gap.write(opened, line, about_lost).map_err(|error| {
                    format!("{}: lines are lost ({})", path.display(), reason(&error))
                })
            }
        }
    }
}

/// What a sink didn't take.
#[derive(Default)]
pub(super) struct Gap {
    lost: u64,
    /// The last line is there in part.
    torn: bool,
}

impl Gap {
    /// Error: the first one of a row.
    fn write<W: Write>(
        &mut self,
        to: io::Result<W>,
        line: &str,
        about_lost: impl FnOnce(u64) -> String,
    ) -> io::Result<()> {
        let written = to.and_then(|mut to| {
            if self.torn {
                self.whole(&mut to, "\n")?;
            }
            if self.lost > 0 {
                self.whole(&mut to, &about_lost(self.lost))?;
                self.lost = 0;
            }
            self.whole(&mut to, line)
        });
        match written {
            Ok(()) => Ok(()),
            Err(error) => {
                self.lost += 1;
                if self.lost == 1 { Err(error) } else { Ok(()) }
            }
        }
    }

    /// All of it; of what isn't, it is noted whether a part is there.
    fn whole(&mut self, to: &mut impl Write, text: &str) -> io::Result<()> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match to.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => {
                    rest = &rest[length..];
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

pub(super) struct Syslog {
    facility: u8,
    logger: Logger,
}

impl Syslog {
    /// `level` is syslog(3)'s.
    pub(super) fn send(&mut self, level: u32, tag: &str, text: &str) {
        let number = u32::from(self.facility) * 8 + level;
        let (time, process) = (LocalTime::now().syslog(), std::process::id());
        self.logger.send(&format!("<{number}>{time} {tag}[{process}]: {text}"));
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn failed(path: &Path, error: &io::Error) -> io::Error {
    let text = format!("open() \"{}\" failed ({})", path.display(), reason(error));
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `room` bytes.
    struct Disk<'a> {
        room: usize,
        there: &'a mut Vec<u8>,
    }

    impl Write for Disk<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(io::Error::from_raw_os_error(libc::ENOSPC));
            }
            let length = bytes.len().min(self.room);
            self.room -= length;
            self.there.extend(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_lines_that_are_counted_and_tears_none_into_another() {
        let (mut gap, mut there) = (Gap::default(), Vec::new());
        let mut write = |line: &str, room| {
            let disk = Disk { room, there: &mut there };
            gap.write(Ok(disk), line, |lost| format!("{lost} lost\n")).is_ok()
        };
        assert!(write("one\n", 100));
        assert!(!write("two\n", 2), "said");
        assert!(write("three\n", 0), "and not again");
        // The gap's own line doesn't fit, either; it counts for none.
        assert!(write("four\n", 3));
        assert!(write("five\n", 100));
        assert!(!write("six\n", 0), "another row");
        assert!(write("seven\n", 100));
        assert_eq!(String::from_utf8(there).unwrap(), "one\ntw\n2 \n3 lost\nfive\n1 lost\nseven\n");
    }
}
