//! Options as getopt_long(3) reads them, for the face whose options clap can't take (an optional
//! value only where it is glued on, prefixes of long names refused).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    None,
    Required,
    /// Only as `-tFILE` or `--config-test=FILE`.
    Optional,
}

/// One option of a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// `'\0'`: it has no short form.
    pub(super) short: char,
    pub(super) long: &'static str,
    pub(super) value: Value,
}

/// What stood on the command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// By its long name.
    Option(&'static str, Option<OsString>),
    Argument(OsString),
    /// As it was written.
    Unknown(String),
    /// As it was written.
    MissingValue(String),
}

/// Everything that stood there, in order.
pub(super) fn read(known: &[Known], arguments: &[OsString]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let bytes = argument.as_bytes();
        if bytes == b"--" {
            items.extend(rest.map(|argument| Item::Argument(argument.clone())));
            return items;
        }
        if let Some(long) = bytes.strip_prefix(b"--") {
            items.push(read_long(known, long, &mut rest));
        } else if bytes.len() > 1 && bytes[0] == b'-' {
            read_short(known, &bytes[1..], &mut rest, &mut items);
        } else {
            items.push(Item::Argument(argument.clone()));
        }
    }
    items
}

fn read_long<'a>(
    known: &[Known],
    text: &[u8],
    rest: &mut impl Iterator<Item = &'a OsString>,
) -> Item {
    let (name, glued) = match text.iter().position(|byte| *byte == b'=') {
        Some(at) => (&text[..at], Some(OsString::from_vec(text[at + 1..].to_vec()))),
        None => (text, None),
    };
    let written = || format!("--{}", OsStr::from_bytes(name).to_string_lossy());
    let Some(option) = known.iter().find(|option| option.long.as_bytes() == name) else {
        return Item::Unknown(written());
    };
    match (option.value, glued) {
        (Value::None, Some(_)) => Item::Unknown(written()),
        (Value::None, None) => Item::Option(option.long, None),
        (Value::Optional, glued) => Item::Option(option.long, glued),
        (Value::Required, Some(value)) => Item::Option(option.long, Some(value)),
        (Value::Required, None) => match rest.next() {
            Some(value) => Item::Option(option.long, Some(value.clone())),
            None => Item::MissingValue(written()),
        },
    }
}

/// Letters may stand together; the first one that takes a value takes the rest.
fn read_short<'a>(
    known: &[Known],
    mut letters: &[u8],
    rest: &mut impl Iterator<Item = &'a OsString>,
    items: &mut Vec<Item>,
) {
    while let Some((letter, behind)) = letters.split_first() {
        letters = behind;
        let letter = char::from(*letter);
        let Some(option) = known.iter().find(|option| option.short == letter && letter != '\0')
        else {
            items.push(Item::Unknown(format!("-{letter}")));
            continue;
        };
        let glued = (!letters.is_empty()).then(|| OsString::from_vec(letters.to_vec()));
        match (option.value, glued) {
            (Value::None, _) => {
                items.push(Item::Option(option.long, None));
                continue;
            }
            (Value::Optional, glued) => items.push(Item::Option(option.long, glued)),
            (Value::Required, Some(value)) => items.push(Item::Option(option.long, Some(value))),
            (Value::Required, None) => items.push(match rest.next() {
                Some(value) => Item::Option(option.long, Some(value.clone())),
                None => Item::MissingValue(format!("-{letter}")),
            }),
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Known; 3] = [
        Known { short: 'f', long: "use-file", value: Value::Required },
        Known { short: 't', long: "config-test", value: Value::Optional },
        Known { short: 'n', long: "dont-fork", value: Value::None },
    ];

    fn items(line: &str) -> Vec<Item> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        read(&KNOWN, &arguments)
    }

    fn option(name: &'static str, value: &str) -> Item {
        Item::Option(name, Some(value.into()))
    }

    #[test]
    fn reads_as_getopt_does() {
        let none = Item::Option("dont-fork", None);
        assert_eq!(items("-nf a"), [none, option("use-file", "a")]);
        assert_eq!(items("-fa --use-file=b --use-file c").len(), 3);
        assert_eq!(items("-tx"), [option("config-test", "x")]);
        assert_eq!(items("-t x"), [Item::Option("config-test", None), Item::Argument("x".into())]);
        assert_eq!(items("--config-test=x"), [option("config-test", "x")]);
        assert_eq!(items("-Z"), [Item::Unknown("-Z".into())]);
        assert_eq!(items("--dont"), [Item::Unknown("--dont".into())]);
        assert_eq!(items("-f"), [Item::MissingValue("-f".into())]);
        assert_eq!(items("--use-file"), [Item::MissingValue("--use-file".into())]);
        assert_eq!(items("-- -n"), [Item::Argument("-n".into())]);
    }
}
