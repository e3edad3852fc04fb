//! Values in config text, read with nom: whole numbers, decimal seconds, times and sizes with
//! units, addresses with a prefix. Each takes a whole word; what is left over is an error.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use nom::bytes::complete::take_while1;
use nom::character::complete::{char, digit1, one_of, u64 as decimal};
use nom::combinator::{all_consuming, map_opt, opt, recognize};
use nom::multi::fold_many1;
use nom::sequence::{pair, preceded};
use nom::{IResult, Parser};

/// A whole decimal number without a sign.
pub fn whole(text: &str) -> Option<u64> {
    finish(all_consuming(decimal).parse(text))
}

/// Seconds with up to six decimal places that count, as keepalived writes them: `1`, `0.25`.
pub fn decimal_seconds(text: &str) -> Option<Duration> {
    let number = recognize(pair(digit1, opt(preceded(char('.'), opt(digit1)))));
    let seconds = map_opt(number, |text: &str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
        let whole = Duration::from_secs(whole.parse().ok()?);
        whole.checked_add(Duration::from_micros(micros.parse().ok()?))
    });
    finish(all_consuming(seconds).parse(text))
}

/// An IPv4 address as nginx reads it: zeros may lead, and a number that is missing is 0. What would
/// be 255.255.255.255 is none to it.
pub fn ipv4_of(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u16; 4];
    let mut at = 0;
    for byte in text {
        match byte {
            b'0'..=b'9' => octets[at] = octets[at] * 10 + u16::from(byte - b'0'),
            b'.' if at < 3 => at += 1,
            _ => return None,
        }
        if octets[at] > 255 {
            return None;
        }
    }
    let address = Ipv4Addr::from(octets.map(|octet| octet as u8));
    (at == 3 && address != Ipv4Addr::BROADCAST).then_some(address)
}

/// nginx's time: `90`, `90s`, `1m30s`, `500ms`, units from large to small, each at most once.
/// A number without a unit is seconds.
///
/// Source: nginx documentation, "Configuration file measurement units".
pub fn time_with_units(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 8] = [
        ("y", 365 * 86_400_000),
        ("M", 30 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let unit = take_while1(|c: char| c.is_ascii_alphabetic());
    let part = pair(decimal, opt(unit));
    let parts = fold_many1(
        part,
        || Some((0u64, 0usize)),
        |sum, (number, unit): (u64, Option<&str>)| {
            let (sum, next) = sum?;
            let at = UNITS.iter().position(|(name, _)| *name == unit.unwrap_or("s"))?;
            let value = number.checked_mul(UNITS[at].1)?;
            (at >= next).then_some((sum.checked_add(value)?, at + 1))
        },
    );
    let (millis, _) = finish(all_consuming(parts).parse(text))??;
    Some(Duration::from_millis(millis))
}

/// nginx's size in bytes: `4096`, `16k`, `1m` (and `1g` where `giga`).
pub fn size_with_units(text: &str, giga: bool) -> Option<u64> {
    let (number, unit) = finish(all_consuming(pair(decimal, opt(one_of("kKmMgG")))).parse(text))?;
    let factor = match unit.map(|unit: char| unit.to_ascii_lowercase()) {
        None => 1,
        Some('k') => 1 << 10,
        Some('m') => 1 << 20,
        Some(_) if giga => 1 << 30,
        Some(_) => return None,
    };
    number.checked_mul(factor)
}

/// `ADDRESS` or `ADDRESS/PREFIX`; the prefix fits the address's family.
pub fn address_with_prefix(text: &str) -> Option<(IpAddr, Option<u8>)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(whole(prefix)?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match prefix {
        Some(prefix) if prefix > longest => None,
        prefix => Some((address, prefix.map(|prefix| prefix as u8))),
    }
}

fn finish<T>(result: IResult<&str, T>) -> Option<T> {
    result.ok().map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_with_decimals() {
        assert_eq!(decimal_seconds("1"), Some(Duration::from_secs(1)));
        assert_eq!(decimal_seconds("0.25"), Some(Duration::from_millis(250)));
        assert_eq!(decimal_seconds("3."), Some(Duration::from_secs(3)));
        for bad in ["", ".5", "1s", "-1", "1e3", "99999999999999999999"] {
            assert_eq!(decimal_seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_with_units() {
        assert_eq!(time_with_units("90"), Some(Duration::from_secs(90)));
        assert_eq!(time_with_units("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(time_with_units("500ms"), Some(Duration::from_millis(500)));
        for bad in ["", "30s1m", "1s1s", "m", "1x", "99999999999999y"] {
            assert_eq!(time_with_units(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_and_addresses() {
        assert_eq!(size_with_units("16k", false), Some(16384));
        assert_eq!(size_with_units("1g", false), None);
        let address = address_with_prefix("10.0.0.1/24");
        assert_eq!(address, Some(("10.0.0.1".parse().unwrap(), Some(24))));
        assert_eq!(address_with_prefix("10.0.0.1/33"), None);
        assert_eq!(address_with_prefix("10.0.0"), None);
    }
}
