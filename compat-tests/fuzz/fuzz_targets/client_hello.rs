//! What a client may send where a TLS greeting is looked for, of any bytes: the same verdict however
//! it is cut into reads, once there is one.
#![no_main]

use evenkeel::proxy::preface::client_hello::{Reading, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let whole = read(data);
    if let Reading::Hello(hello) = &whole {
        assert!(hello.server_name.len() <= data.len() && hello.alpn.len() <= data.len());
    }
    for end in 0..data.len().min(600) {
        match read(&data[..end]) {
            Reading::More => {}
            verdict => assert_eq!(verdict, whole),
        }
    }
});
