//! The `include` family: which files a line means, and which misses count as errors.

use std::path::{Path, PathBuf};

use crate::host::Host;
use crate::text::{Diagnostic, Severity, Span};

/// What must be there (keepalived.conf(5), `include_check`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checks {
    readable: bool,
    matching: bool,
    wildcard: bool,
    brace: bool,
}

impl Checks {
    const ALL: Checks = Checks { readable: true, matching: true, wildcard: true, brace: true };

    /// Reads the words behind `include_check`; none means all of them.
    pub(super) fn read(self, words: &[&[u8]]) -> Self {
        if words.is_empty() {
            return Checks::ALL;
        }
        let relative = matches!(words[0].first(), Some(b'+' | b'-'));
        let mut checks = if relative { self } else { Checks::default() };
        let mut on = true;
        for word in words {
            let name = match word.first() {
                Some(sign @ (b'+' | b'-')) => {
                    on = *sign == b'+';
                    &word[1..]
                }
                _ => word,
            };
            match name {
                b"readable" => checks.readable = on,
                b"match" => checks.matching = on,
                b"wildcard_match" => checks.wildcard = on,
                b"brace_match" => checks.brace = on,
                _ => {}
            }
        }
        checks
    }

    fn any(self) -> bool {
        self.readable || self.matching || self.wildcard || self.brace
    }
}

/// If `text` is an include line: the checks that its keyword adds, and where the pattern starts.
pub(super) fn keyword(text: &[u8], checks: Checks) -> Option<(Checks, usize)> {
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let end = start + text[start..].iter().position(|byte| byte.is_ascii_whitespace())?;
    let added = match &text[start..end] {
        b"include" => checks,
        b"includer" => Checks { readable: true, ..checks },
        b"includem" => Checks { matching: true, ..checks },
        b"includew" => Checks { wildcard: true, ..checks },
        b"includeb" => Checks { brace: true, ..checks },
        b"includea" => Checks::ALL,
        _ => return None,
    };
    let pattern = text[end..].iter().position(|byte| !byte.is_ascii_whitespace())?;
    Some((added, end + pattern))
}

/// A file that was found, with its bytes.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

/// Reads the files that `pattern` means, seen from `folder`. keepalived doesn't start with a file
/// missing that its checks ask for.
pub(super) fn read(
    pattern: &str,
    folder: &Path,
    checks: Checks,
    span: Span,
    host: &dyn Host,
    complain: &mut dyn FnMut(Diagnostic),
) -> Vec<Found> {
    let mut found = Vec::new();
    let mut is_missing = false;
    let alternatives = braces(pattern);
    let several = alternatives.len() > 1;
    let mut complain = |strict: bool, message: String| {
        let severity = if strict { Severity::Fatal } else { Severity::Warning };
        complain(Diagnostic::new(severity, "keepalived/include", message).at(span));
    };
    for alternative in &alternatives {
        let path = folder.join(alternative);
        let wild = alternative.contains(['*', '?', '[']);
        let paths = if wild { host.glob(&path.to_string_lossy()) } else { vec![path] };
        if paths.is_empty() && !several {
            if is_without_folder(&folder.join(alternative), host) {
                is_missing = true;
            } else if checks.wildcard {
                complain(true, format!("No config files matched '{alternative}'."));
            }
        }
        for path in paths {
            // Not read, for reading a device may not end, and scripts lie beside configs.
            if host.is_program_or_device(&path) {
                let path = path.display();
                let what = "is not a regular non-executable file - skipping";
                complain(checks.any(), format!("Configuration file '{path}' {what}"));
                continue;
            }
            match host.read(&path) {
                Ok(bytes) => found.push(Found { path, bytes }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => is_missing = true,
                Err(error) => complain(checks.any(), problem(&path, &error)),
            }
        }
    }
    let strict = if several { checks.brace } else { checks.matching || checks.wildcard };
    match (is_missing, found.is_empty()) {
        (true, true) => complain(strict, format!("Config files missing '{pattern}'.")),
        (true, false) => complain(strict, format!("Some config files missing: \"{pattern}\".")),
        (false, _) => {}
    }
    found
}

/// Does the folder not exist in which wildcards would look?
fn is_without_folder(pattern: &Path, host: &dyn Host) -> bool {
    let wild = |part: &std::path::Component| {
        part.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte))
    };
    let folder: PathBuf = pattern.components().take_while(|part| !wild(part)).collect();
    !folder.as_os_str().is_empty() && host.glob(&folder.to_string_lossy()).is_empty()
}

/// Why a config file can't be read, in keepalived's words.
pub(super) fn problem(path: &Path, error: &std::io::Error) -> String {
    let path = path.display();
    match error.kind() {
        std::io::ErrorKind::IsADirectory => {
            format!("Configuration file '{path}' is a directory - skipping")
        }
        kind => {
            let reason = match kind {
                std::io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
                _ => error.to_string(),
            };
            format!("Configuration file '{path}' open problem ({reason}) - skipping")
        }
    }
}

/// More alternatives than this in one pattern are nobody's intention.
const MOST_ALTERNATIVES: usize = 4096;

/// Expands csh's `{a,b{c,d}}`; without a closing brace the text stays as it is.
fn braces(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop() {
        match split(&pattern) {
            Some((before, alternatives, after))
                if open.len() + done.len() + alternatives.len() <= MOST_ALTERNATIVES =>
            {
                let whole = alternatives.iter().rev();
                open.extend(whole.map(|alternative| format!("{before}{alternative}{after}")));
            }
            _ => done.push(pattern),
        }
    }
    done
}

/// The first group of braces: what stands before it, its alternatives, what stands behind it.
fn split(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let start = pattern.find('{')?;
    let mut depth = 0;
    let mut from = start + 1;
    let mut alternatives = Vec::new();
    for (at, byte) in pattern.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b',' if depth == 1 => {
                alternatives.push(&pattern[from..at]);
                from = at + 1;
            }
            b'}' if depth == 1 => {
                alternatives.push(&pattern[from..at]);
                return Some((&pattern[..start], alternatives, &pattern[at + 1..]));
            }
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_as_in_csh() {
        assert_eq!(braces("a{b,c}d"), ["abd", "acd"]);
        assert_eq!(braces("{foo/{,cat,dog},bar}"), ["foo/", "foo/cat", "foo/dog", "bar"]);
        assert_eq!(braces("a{b"), ["a{b"]);
        assert_eq!(braces("plain"), ["plain"]);
        assert!(braces(&"{a,b}".repeat(40)).len() <= MOST_ALTERNATIVES + 1);
    }

    #[test]
    fn only_the_family_is_taken() {
        let taken = |text: &str| keyword(text.as_bytes(), Checks::default()).map(|(_, at)| at);
        assert_eq!(taken("include  x"), Some(9));
        assert_eq!(taken("  includea x y"), Some(11));
        assert_eq!(taken("include"), None);
        assert_eq!(taken("includex y"), None);
    }
}
