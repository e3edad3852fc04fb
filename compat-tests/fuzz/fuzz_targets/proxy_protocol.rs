//! The PROXY protocol's header: any bytes are read or refused; what is read is within them, and
//! what would be written for it is read back.
#![no_main]

use evenkeel::proxy::message::Client;
use evenkeel::proxy::preface::proxy_protocol::{LONGEST, Server, binary, parse, text};
use evenkeel::proxy::preface::tlv;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let Ok((header, length)) = parse(bytes) else { return };
    assert!(length <= bytes.len());
    // What follows doesn't change a header.
    assert_eq!(parse(&bytes[..length]), Ok((header.clone(), length)));
    for name in ["alpn", "ssl_cn", "ssl_verify", "ssl_0x21", "0xea", "unique_id"] {
        let _ = tlv::value(&header.tlvs, name);
    }
    let Some(client) = header.endpoints.and_then(|endpoints| endpoints.client()) else { return };
    for written in [
        text(Client::Tcp(client), &Server::Tcp(client)),
        binary(Client::Tcp(client), &Server::Tcp(client)),
    ] {
        let (header, length) = parse(&written).unwrap();
        assert_eq!(length, written.len());
        assert_eq!(header.endpoints.unwrap().client(), Some(client));
    }
});
