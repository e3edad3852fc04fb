//! What a client says before anything is passed on, read without I/O.
//!
//! [`client_hello`] reads the TLS greeting that `ssl_preread` and `server_name` look into. Every
//! reader here takes all bytes that have come so far, from the first, and says whether it needs
//! more: nothing is kept between calls. Read [`client_hello`] next.

pub mod client_hello;
