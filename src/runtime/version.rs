//! How each face names itself and its version: tools parse these.

/// Evenkeel's own.
pub const EVENKEEL: &str = env!("CARGO_PKG_VERSION");

/// Exporters read the second word.
pub const KEEPALIVED: &str =
    concat!("Keepalived v2.4.3 (evenkeel ", env!("CARGO_PKG_VERSION"), ")");

/// The nginx whose behaviour is followed, as `$nginx_version` has it.
pub const NGINX_NUMBER: &str = "1.31.5";

/// Behind `nginx version: `.
pub const NGINX: &str = concat!("nginx/1.31.5 (evenkeel ", env!("CARGO_PKG_VERSION"), ")");
