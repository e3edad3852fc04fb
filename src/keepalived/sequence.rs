//! `~SEQ(…)`, `~SEQx(…)` and `~LST(…)` at the head of a line (keepalived.conf(5), "Sequence
//! blocks", "List blocks").

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::{map, opt, recognize};
use nom::multi::separated_list1;
use nom::sequence::{delimited, pair, preceded, terminated};
use nom::{IResult, Parser};

/// Values for variables, one set after the other.
#[derive(Clone, Debug)]
pub(super) enum Sequence {
    Numbers { name: Vec<u8>, next: Option<i64>, step: i64, end: i64, hex: bool },
    List { names: Vec<Vec<u8>>, values: std::vec::IntoIter<Vec<Vec<u8>>> },
}

impl Sequence {
    /// The next set of variables with their values.
    pub(super) fn next(&mut self) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        match self {
            Sequence::Numbers { name, next, step, end, hex } => {
                let number = (*next)?;
                *next = number.checked_add(*step);
                if if *step > 0 { number > *end } else { number < *end } {
                    return None;
                }
                let value = match (*hex, number < 0) {
                    (false, _) => number.to_string(),
                    (true, false) => format!("{number:x}"),
                    (true, true) => format!("-{:x}", number.unsigned_abs()),
                };
                Some(vec![(name.clone(), value.into_bytes())])
            }
            Sequence::List { names, values } => {
                let values = values.next()?;
                let filled = values.into_iter().chain(std::iter::repeat(Vec::new()));
                Some(names.iter().cloned().zip(filled).collect())
            }
        }
    }
}

/// Reads what stands at the head of `text`: the sequence and how many bytes it took.
pub(super) fn parse(text: &[u8]) -> Option<(Sequence, usize)> {
    let (rest, sequence) = alt((numbers, list)).parse(text).ok()?;
    Some((sequence?, text.len() - rest.len()))
}

fn numbers(input: &[u8]) -> IResult<&[u8], Option<Sequence>> {
    let (input, _) = tag(&b"~SEQ"[..]).parse(input)?;
    let (input, hex) = opt(char('x')).parse(input)?;
    let (input, _) = char('(').parse(input)?;
    let (input, name) = trimmed(name).parse(input)?;
    let (input, numbers) =
        nom::multi::many_m_n(1, 3, preceded(char(','), trimmed(number))).parse(input)?;
    let (input, _) = char(')').parse(input)?;
    let numbers: Option<Vec<i64>> = numbers.into_iter().collect();
    let sequence = numbers.and_then(|numbers| {
        let toward = |start: i64, end: i64| if end >= start { 1 } else { -1 };
        let (start, step, end) = match numbers[..] {
            [end] if end > 0 => (1, 1, end),
            [end] => (-1, toward(-1, end), end),
            [start, end] => (start, toward(start, end), end),
            [start, step, end] => (start, step, end),
            _ => return None,
        };
        // A step that never arrives is as wrong as none.
        let arrives = step != 0 && (start == end || (end > start) == (step > 0));
        arrives.then(|| Sequence::Numbers {
            name: name.to_vec(),
            next: Some(start),
            step,
            end,
            hex: hex.is_some(),
        })
    });
    Ok((input, sequence))
}

fn list(input: &[u8]) -> IResult<&[u8], Option<Sequence>> {
    let group = |input| {
        let inner = separated_list1(char(','), map(item, |item| item.trim_ascii().to_vec()));
        delimited(char('{'), inner, char('}')).parse(input)
    };
    let one = |input| map(item, |item: &[u8]| vec![item.trim_ascii().to_vec()]).parse(input);
    let (input, _) = tag(&b"~LST("[..]).parse(input)?;
    let (input, names) =
        trimmed(alt((group, map(name, |name: &[u8]| vec![name.to_vec()])))).parse(input)?;
    let value = preceded(char(','), trimmed(alt((group, one))));
    let (input, values) = nom::multi::many0(value).parse(input)?;
    let (input, _) = char(')').parse(input)?;
    let named = names.iter().all(|name| is_name(name));
    let sequence =
        (named && !values.is_empty()).then(|| Sequence::List { names, values: values.into_iter() });
    Ok((input, sequence))
}

fn name(input: &[u8]) -> IResult<&[u8], &[u8]> {
    recognize(pair(
        take_while1(|byte: u8| byte.is_ascii_alphabetic() || byte == b'_'),
        take_while(|byte: u8| byte.is_ascii_alphanumeric() || byte == b'_'),
    ))
    .parse(input)
}

/// May this be a variable's name?
pub(super) fn is_name(text: &[u8]) -> bool {
    matches!(name(text), Ok((rest, _)) if rest.is_empty())
}

fn item(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|byte: u8| !b",(){}".contains(&byte)).parse(input)
}

/// A number in decimal, `0x` hexadecimal or `0` octal; `None` if it is too large.
fn number(input: &[u8]) -> IResult<&[u8], Option<i64>> {
    let (input, minus) = opt(char('-')).parse(input)?;
    let (input, digits) =
        terminated(take_while1(|byte: u8| byte.is_ascii_alphanumeric()), multispace0)
            .parse(input)?;
    let digits = String::from_utf8_lossy(digits);
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None if digits.len() > 1 && digits.starts_with('0') => i64::from_str_radix(&digits, 8).ok(),
        None => digits.parse().ok(),
    };
    Ok((input, value.map(|value| if minus.is_some() { -value } else { value })))
}

fn trimmed<'a, O, F>(
    inner: F,
) -> impl Parser<&'a [u8], Output = O, Error = nom::error::Error<&'a [u8]>>
where
    F: Parser<&'a [u8], Output = O, Error = nom::error::Error<&'a [u8]>>,
{
    delimited(multispace0, inner, multispace0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All values, joined: `a=1 b=2|a=…`.
    fn values(text: &str) -> Option<String> {
        let (mut sequence, _) = parse(text.as_bytes())?;
        let mut sets = Vec::new();
        while let Some(set) = sequence.next() {
            let set = set.iter().map(|(name, value)| {
                format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
            });
            sets.push(set.collect::<Vec<_>>().join(" "));
        }
        Some(sets.join("|"))
    }

    #[test]
    fn numbers_count_up_and_down() {
        assert_eq!(values("~SEQ(X,1,3) rest").as_deref(), Some("X=1|X=2|X=3"));
        assert_eq!(values("~SEQ(X,3)").as_deref(), Some("X=1|X=2|X=3"));
        assert_eq!(values("~SEQ(X, 5, -2, 1)").as_deref(), Some("X=5|X=3|X=1"));
        assert_eq!(values("~SEQx(X, 0x90, 0x10, 0xb0)").as_deref(), Some("X=90|X=a0|X=b0"));
        for bad in ["~SEQ(X,a,b)", "~SEQ(X", "~SEQ(X,1,0,3)", "~SEQ(X,3,1,1)", "~SEQ(1X,3)"] {
            assert_eq!(values(bad), None, "{bad}");
        }
    }

    #[test]
    fn lists_bind_one_or_several_names() {
        assert_eq!(values("~LST(X,a, b)").as_deref(), Some("X=a|X=b"));
        assert_eq!(values("~LST({A,B},{1,2},{3,4}) x").as_deref(), Some("A=1 B=2|A=3 B=4"));
        assert_eq!(values("~LST({A,B},{1})").as_deref(), Some("A=1 B="));
        assert_eq!(values("~LST(X)"), None);
    }
}
