//! Host names, with and without masks: what is found for one.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use crate::plan::table::Text;

/// Whole names, `*.example.com` and `example.*`, each with what it stands for.
#[derive(Debug)]
pub(super) struct Masks<T> {
    exact: HashMap<BString, T>,
    /// What stands behind `*.`.
    suffixes: HashMap<BString, T>,
    /// What stands before `.*`.
    prefixes: HashMap<BString, T>,
}

impl<T: Clone> Masks<T> {
    pub(super) fn new(exact: &[(Text, T)], suffixes: &[(Text, T)], prefixes: &[(Text, T)]) -> Self {
        let table = |entries: &[(Text, T)]| {
            entries.iter().map(|(Text(key), value)| (key.clone(), value.clone())).collect()
        };
        Self { exact: table(exact), suffixes: table(suffixes), prefixes: table(prefixes) }
    }

    /// For a name in lower case, in nginx's order: the whole name, the longest behind `*.`, the
    /// longest before `.*`.
    pub(super) fn find(&self, name: &[u8]) -> Option<&T> {
        let mut suffixes = name.find_iter(b".").map(|dot| &name[dot + 1..]);
        let mut prefixes = name.rfind_iter(b".").filter(|dot| dot + 1 < name.len());
        let masked = || {
            let found = suffixes.find_map(|suffix| self.suffixes.get(suffix.as_bstr()));
            found.or_else(|| prefixes.find_map(|dot| self.prefixes.get(name[..dot].as_bstr())))
        };
        self.exact.get(name.as_bstr()).or_else(masked)
    }
}
