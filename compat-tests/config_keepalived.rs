//! Tests of config_keepalived.
