//! What a client says before anything is passed on, read without I/O.
//!
//! [`proxy_protocol`] is what a proxy in front says about the client (and what is said to a peer
//! behind), [`tlv`] its extensions; [`client_hello`] reads the TLS greeting that `ssl_preread` and
//! `server_name` look into. Every reader here takes all bytes that have come so far, from the first;
//! nothing is kept between calls. Bytes from strangers: nothing panics, fuzz targets see to that.
//! Read [`proxy_protocol`] next.

pub mod client_hello;
pub mod proxy_protocol;
pub mod tlv;
