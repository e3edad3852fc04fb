//! The life of one proxied connection, and the choice of its peer, as pure machines.
