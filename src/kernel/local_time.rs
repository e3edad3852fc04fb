//! The time of day as people of this host write it, for log lines.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

    /// `23/Nov/2026:11:52:43 +0000`, as in the Common Log Format.
    pub fn common_log(&self) -> String {
        let tm = &self.0;
        let month = MONTHS.get(tm.tm_mon as usize).unwrap_or(&"");
        let (day, year, zone) = (tm.tm_mday, tm.tm_year + 1900, self.zone(""));
        let (hour, minute, second) = (tm.tm_hour, tm.tm_min, tm.tm_sec);
        format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} {zone}")
    }

    /// `2026-11-23T11:52:43+00:00`
    pub fn iso8601(&self) -> String {
        let tm = &self.0;
        let (year, month, day) = (tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
        let (hour, minute, second, zone) = (tm.tm_hour, tm.tm_min, tm.tm_sec, self.zone(":"));
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}")
    }

    /// `+0100`: how far east of UTC it is.
    fn zone(&self, separator: &str) -> String {
        let sign = if self.0.tm_gmtoff < 0 { '-' } else { '+' };
        let minutes = self.0.tm_gmtoff.abs() / 60;
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
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
    let now = LocalTime::now();
    let (tm, zone) = (now.0, now.zone(""));
    let day = DAYS.get(tm.tm_wday as usize).unwrap_or(&"");
    let month = MONTHS.get(tm.tm_mon as usize).unwrap_or(&"");
    let (date, year) = (tm.tm_mday, tm.tm_year + 1900);
    let (hour, minute, second) = (tm.tm_hour, tm.tm_min, tm.tm_sec);
    format!("{day}, {date:02} {month} {year} {hour:02}:{minute:02}:{second:02} {zone}")
}

/// `2026-11-23 00:53:52`
pub fn plain(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = LocalTime::at(since.as_secs() as libc::time_t).0;
    let (year, month) = (time.tm_year + 1900, time.tm_mon + 1);
    let (day, hour, minute, second) = (time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// When it is next the time that `text` says: `HH:MM:SS`, or once and maybe in the past:
/// `YY-MM-DD HH:MM:SS`, `YYYY-MM-DD HH:MM:SS`; in UTC with a `Z` behind it. Nothing else is a time.
pub fn next(text: &str, now: SystemTime) -> Option<SystemTime> {
    let (text, utc) = match text.strip_suffix('Z') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (Some(date), time),
        None => (None, text),
    };
    let [hour, minute, second] = numbers(time, ':', &[2])?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as libc::time_t;
    let mut fields = match utc {
        // SAFETY: all zeros is a valid `tm`, and both pointers are to live values of the right types.
        true => unsafe {
            let mut fields = std::mem::zeroed();
            libc::gmtime_r(&since, &mut fields);
            fields
        },
        false => LocalTime::at(since).0,
    };
    if let Some(date) = date {
        let [year, month, day] = numbers(date, '-', &[2, 4])?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        fields.tm_year = if year < 100 { year + 100 } else { year - 1900 };
        (fields.tm_mon, fields.tm_mday) = (month - 1, day);
    }
    (fields.tm_hour, fields.tm_min, fields.tm_sec) = (hour, minute, second);
    // Whether summer time holds then is for the C library to find out.
    fields.tm_isdst = -1;
    let at = |mut fields: libc::tm| {
        // SAFETY: the pointer is to a live `tm` of our own, which both may normalise.
        let seconds = unsafe {
            match utc {
                true => libc::timegm(&mut fields),
                false => libc::mktime(&mut fields),
            }
        };
        Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
    };
    match at(fields)? {
        at_that_time if date.is_some() || at_that_time > now => Some(at_that_time),
        _ => {
            fields.tm_mday += 1;
            at(fields)
        }
    }
}

/// Three numbers, the first with as many digits as `widths` allows, the others with two.
fn numbers(text: &str, separator: char, widths: &[usize]) -> Option<[i32; 3]> {
    let parts: Vec<&str> = text.split(separator).collect();
    let [first, second, third] = parts[..] else { return None };
    let right = widths.contains(&first.len()) && second.len() == 2 && third.len() == 2;
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !right || ![first, second, third].into_iter().all(digits) {
        return None;
    }
    Some([first.parse().ok()?, second.parse().ok()?, third.parse().ok()?])
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
    fn only_the_manuals_three_formats_are_times() {
        // 2026-11-18T07:06:40Z
        let now = UNIX_EPOCH + Duration::from_secs(1_794_985_600);
        let after = |text: &str| {
            let at = next(text, now)?;
            Some(match at.duration_since(now) {
                Ok(left) => left.as_secs() as i64,
                Err(past) => -(past.duration().as_secs() as i64),
            })
        };
        assert_eq!(after("07:06:50Z"), Some(10));
        assert_eq!(after("07:06:30Z"), Some(86_390), "tomorrow");
        assert_eq!(after("2026-11-18 07:06:50Z"), Some(10));
        assert_eq!(after("26-11-18 07:06:30Z"), Some(-10), "with a date it can be over");
        assert_eq!(after("26-11-19 07:06:40Z"), Some(86_400));
        assert_eq!(next(&plain(now), now), Some(now), "as people of this host write it");
        let wrong = [
            "",
            "7:06:50",
            "07:06",
            "07:06:50 Z",
            " 07:06:50",
            "07:06:50 ",
            "24:00:00",
            "26-11-18  07:06:50",
            "126-11-18 07:06:50",
            "26-13-18 07:06:50",
            "26-1-18 07:06:50",
            "+7:06:50",
            "26/11/18 07:06:50",
            "07:06:50z",
            "é7:06:5",
        ];
        for text in wrong {
            assert_eq!(after(text), None, "{text:?}");
        }
    }

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
