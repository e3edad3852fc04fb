//! What stands behind the addresses of a PROXY header of version 2, as
//! `$proxy_protocol_tlv_NAME` shows it.
//!
//! Source: nginx documentation, `ngx_stream_core_module`, "Embedded Variables"; types: the PROXY
//! protocol's text, section 2.2.

use bstr::BString;

const SSL: u8 = 0x20;
/// Flags and verification of the SSL type, before its own parts.
const SSL_FIXED: usize = 5;

const NAMES: [(&str, u8); 5] =
    [("alpn", 0x01), ("authority", 0x02), ("unique_id", 0x05), ("ssl", SSL), ("netns", 0x30)];
const SSL_NAMES: [(&str, u8); 5] =
    [("version", 0x21), ("cn", 0x22), ("cipher", 0x23), ("sig_alg", 0x24), ("key_alg", 0x25)];

/// The value of `NAME`: a type's name or number (`0xea`), with `ssl_` before those of the SSL type;
/// or `ssl_verify`. `None`: the header has no such part, or there is no such name.
pub fn value(tlvs: &[u8], name: &str) -> Option<BString> {
    let Some(inner) = name.strip_prefix("ssl_") else {
        return find(tlvs, kind(name, &NAMES)?).map(BString::from);
    };
    let ssl = find(tlvs, SSL).filter(|ssl| ssl.len() >= SSL_FIXED)?;
    let (fixed, parts) = ssl.split_at(SSL_FIXED);
    if inner == "verify" {
        let verify = u32::from_be_bytes([fixed[1], fixed[2], fixed[3], fixed[4]]);
        return Some(verify.to_string().into());
    }
    find(parts, kind(inner, &SSL_NAMES)?).map(BString::from)
}

fn kind(name: &str, names: &[(&str, u8)]) -> Option<u8> {
    match name.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => names.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind),
    }
}

/// The first part of a type: type, length in two bytes, value. Parts behind a broken one aren't
/// seen.
fn find(mut parts: &[u8], wanted: u8) -> Option<&[u8]> {
    while let [kind, high, low, rest @ ..] = parts {
        let (value, behind) = rest.split_at_checked(usize::from(*high) << 8 | usize::from(*low))?;
        if *kind == wanted {
            return Some(value);
        }
        parts = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[kind, (value.len() >> 8) as u8, value.len() as u8], value].concat()
    }

    #[test]
    fn parts_by_name_and_by_number() {
        let ssl = [&[1, 0, 0, 0, 18][..], &part(0x21, b"TLSv1.3"), &part(0x22, b"me")].concat();
        let tlvs = [part(1, b"h2"), part(2, b"example.com"), part(0xea, b"vpc"), part(0x20, &ssl)]
            .concat();
        let text = |name| value(&tlvs, name).map(|value| value.to_string());
        assert_eq!(text("alpn").as_deref(), Some("h2"));
        assert_eq!(text("0x02").as_deref(), Some("example.com"));
        assert_eq!(text("0xEA").as_deref(), Some("vpc"));
        assert_eq!(text("ssl_version").as_deref(), Some("TLSv1.3"));
        assert_eq!(text("ssl_0x22").as_deref(), Some("me"));
        assert_eq!(text("ssl_verify").as_deref(), Some("18"));
        for missing in ["netns", "ssl_cipher", "0x", "0x100", "what", "ssl_what", "ssl_", ""] {
            assert_eq!(text(missing), None, "{missing}");
        }
        assert_eq!(value(&tlvs[..tlvs.len() - 1], "ssl_cn"), None);
        assert_eq!(value(&part(0x20, b"abc"), "ssl_verify"), None);
    }
}
