//! Rehearsal of a whole cluster in namespaces of this host.
