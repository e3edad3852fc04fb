//! nginx's dialect.
