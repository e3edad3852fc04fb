//! Tests of config_nginx.
