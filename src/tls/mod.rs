//! OpenSSL contexts of what the Plan says.
//!
//! They are made twice: by `-t`, which has to find what is wrong with a certificate, a list of
//! ciphers or a command, and by the process that serves with them; so that whatever passes the one
//! passes the other. [`material`] reads certificates and keys, [`context`] makes contexts of them,
//! [`ocsp`]
//! asks whether certificates are revoked, [`words`] says what OpenSSL didn't like, as nginx says it. Read [`context`] next.

pub mod context;
pub mod material;
pub mod ocsp;
pub mod words;
