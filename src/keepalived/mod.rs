//! keepalived's dialect.
