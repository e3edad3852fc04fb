//! The time of day as people of this host write it, for log lines.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Prints as `2026/11/22 23:14:35`, nginx's layout.
#[derive(Clone, Copy)]
pub struct LocalTime(libc::tm);

impl LocalTime {
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::at(since.as_secs() as libc::time_t)
    }

    /// `seconds` since 1970 in UTC.
    fn at(seconds: libc::time_t) -> Self {
        // SAFETY: all zeros is a valid `tm` (numbers, and a zone name that may be null).
        let mut broken_down: libc::tm = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are to live values of the right types. localtime_r reads TZ, which
        // nothing in this package changes while it runs.
        unsafe { libc::localtime_r(&seconds, &mut broken_down) };
        Self(broken_down)
    }

    /// `Sun Nov 22 23:14:35 2026`, keepalived's layout on a console.
    pub fn ctime(&self) -> String {
        let day = DAYS.get(self.0.tm_wday as usize).unwrap_or(&"");
        format!("{day} {} {}", self.syslog(), self.0.tm_year + 1900)
    }

    /// `Nov 22 23:14:35`, as in a syslog message (RFC 3164, section 4.1.2).
    pub fn syslog(&self) -> String {
        let tm = &self.0;
        let month = MONTHS.get(tm.tm_mon as usize).unwrap_or(&"");
        format!("{month} {:2} {:02}:{:02}:{:02}", tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec)
    }
}

/// `Mon Nov 23 00:53:52.974461 2026`, keepalived's layout in dumps.
pub fn precise(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = LocalTime::at(since.as_secs() as libc::time_t);
    let day = DAYS.get(time.0.tm_wday as usize).unwrap_or(&"");
    let (micros, year) = (since.subsec_micros(), time.0.tm_year + 1900);
    format!("{day} {}.{micros:06} {year}", time.syslog())
}

/// `Mon, 23 Nov 2026 02:16:16 +0000`, as in mail (RFC 5322, section 3.3).
pub fn rfc5322() -> String {
    let LocalTime(tm) = LocalTime::now();
    let day = DAYS.get(tm.tm_wday as usize).unwrap_or(&"");
    let month = MONTHS.get(tm.tm_mon as usize).unwrap_or(&"");
    let (date, year) = (tm.tm_mday, tm.tm_year + 1900);
    let (hour, minute, second) = (tm.tm_hour, tm.tm_min, tm.tm_sec);
    let sign = if tm.tm_gmtoff < 0 { '-' } else { '+' };
    let offset = tm.tm_gmtoff.abs() / 60;
    let (east, rest) = (offset / 60, offset % 60);
    format!(
        "{day}, {date:02} {month} {year} {hour:02}:{minute:02}:{second:02} {sign}{east:02}{rest:02}"
    )
}

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tm = &self.0;
        let (year, month) = (tm.tm_year + 1900, tm.tm_mon + 1);
        write!(f, "{year:04}/{month:02}/{:02} ", tm.tm_mday)?;
        write!(f, "{:02}:{:02}:{:02}", tm.tm_hour, tm.tm_min, tm.tm_sec)
    }
}

impl fmt::Debug for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_layout_of_a_log() {
        let text = LocalTime::at(1_795_000_000).to_string();
        assert_eq!(text.len(), "2026/11/22 23:14:35".len());
        assert!(text.starts_with("2026/11/1"), "{text}");
        let text = LocalTime::at(1_795_000_000).ctime();
        assert_eq!(text.len(), "Sun Nov 22 23:14:35 2026".len());
        assert!(text.contains(" Nov 1") && text.ends_with(" 2026"), "{text}");
    }
}
