//! Names against the tables: found, at home elsewhere, or unknown (and then perhaps misspelt).

use super::Directive;

/// What the tables know about a name in a context.
#[derive(Debug)]
pub enum Lookup<C: 'static> {
    Found(&'static Directive<C>),
    /// It exists, but not here: the contexts it belongs to.
    Elsewhere(Vec<&'static str>),
    /// It doesn't exist; the nearest name that may stand here, if one is near.
    Unknown(Option<&'static str>),
}

/// Looks `name` up in `context`.
pub fn lookup<C: 'static>(
    tables: impl Iterator<Item = &'static Directive<C>> + Clone,
    context: &str,
    name: &str,
) -> Lookup<C> {
    let mut elsewhere = Vec::new();
    for directive in tables.clone().filter(|directive| directive.name == name) {
        if directive.contexts.iter().any(|c| *c == context || *c == "*") {
            return Lookup::Found(directive);
        }
        elsewhere.extend_from_slice(directive.contexts);
    }
    if !elsewhere.is_empty() {
        return Lookup::Elsewhere(elsewhere);
    }
    let here = tables.filter(|directive| directive.contexts.contains(&context));
    Lookup::Unknown(nearest(name, here.map(|directive| directive.name)))
}

/// The candidate that `name` most probably meant, if any is near enough to be worth saying.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A very long word isn't a misspelling, and the distance costs its square.
    if name.len() > 64 {
        return None;
    }
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 5)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_suggested_and_far_ones_not() {
        let names = ["virtual_ipaddress", "virtual_routes", "priority"];
        assert_eq!(nearest("virtual_ipadress", names.into_iter()), Some("virtual_ipaddress"));
        assert_eq!(nearest("prioritty", names.into_iter()), Some("priority"));
        assert_eq!(nearest("listen", names.into_iter()), None);
    }
}
