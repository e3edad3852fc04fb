//! Tests of lab.
