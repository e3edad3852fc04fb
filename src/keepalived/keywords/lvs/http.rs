//! `HTTP_GET` and `SSL_GET`.

use super::super::super::config::KeepalivedConfig;
use super::super::super::config::checker::{Http, Kind};
use super::super::Row;
use super::super::read::{self, wrong};
use super::{NOT_RUN, RS, check, complaint, complaint_at, end, timing};
use crate::plan::checker::{HttpProtocol, PageRegex, Url};
use crate::text::{Diagnostic, Diagnostics, Node};

const HTTP: &[&str] =
    &["virtual_server real_server HTTP_GET", "virtual_server real_server SSL_GET"];
const URL: &[&str] =
    &["virtual_server real_server HTTP_GET url", "virtual_server real_server SSL_GET url"];
const TLS: &[&str] = &["virtual_server real_server SSL_GET"];
const TLS_URL: &[&str] = &["virtual_server real_server SSL_GET url"];

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(RS, "HTTP_GET", "", "Fetch pages over HTTP")
        .block("virtual_server real_server HTTP_GET")
        .partial(NOT_RUN, |c, n, _| check::open(c, n, Kind::Http(Http::default()))),
    Row::of(RS, "SSL_GET", "", "Fetch pages over HTTPS")
        .block("virtual_server real_server SSL_GET")
        .partial(NOT_RUN, |c, n, _| {
            check::open(c, n, Kind::Http(Http { tls: true, ..Http::default() }));
        }),
    Row::of(&["virtual_server real_server HTTP_GET"], "url", "", "A page to fetch")
        .block("virtual_server real_server HTTP_GET url")
        .partial(NOT_RUN, url),
    Row::of(TLS, "url", "", "A page to fetch")
        .block("virtual_server real_server SSL_GET url")
        .partial(NOT_RUN, url),
    Row::of(HTTP, "http_protocol", "1.0|1.0C|1.1", "HTTP version")
        .bare()
        .default("1.0")
        .partial(NOT_RUN, http_protocol),
    Row::of(HTTP, "nb_get_retry", "COUNT", "Old name of retry")
        .partial(NOT_RUN, timing::nb_get_retry),
    Row::of(HTTP, "fast_recovery", "[BOOL]", "Check all pages at once when coming up")
        .partial(NOT_RUN, |c, n, d| boolean(c, n, d, |it| &mut it.fast_recovery)),
    Row::of(HTTP, "enable_sni", "[BOOL]", "Send the host name in the TLS handshake")
        .partial(NOT_RUN, |c, n, d| boolean(c, n, d, |it| &mut it.sni)),
    Row::of(HTTP, "sni_name", "NAME", "Name for the TLS handshake")
        .bare()
        .newer()
        .partial(NOT_RUN, sni_name),
    Row::of(TLS, "tls_compliant", "", "Hold to the letter of TLS at the end of a page")
        .newer()
        .partial(NOT_RUN, |c, n, d| boolean(c, n, d, |it| &mut it.tls_compliant)),
    Row::of(HTTP, "virtualhost", "NAME", "Host header of HTTP checks")
        .bare()
        .partial(NOT_RUN, virtual_host),
    Row::of(URL, "virtualhost", "NAME", "Host header of HTTP checks")
        .bare()
        .partial(NOT_RUN, url_virtual_host),
    Row::of(URL, "path", "PATH", "Path of the page").partial(NOT_RUN, path),
    Row::of(URL, "digest", "MD5", "Digest of the page").partial(NOT_RUN, digest),
    Row::of(URL, "status_code", "CODE|RANGE...", "Status that is a success")
        .bare()
        .default("200-299")
        .partial(NOT_RUN, status_code),
    Row::of(URL, "regex", "REGEX", "Text that the page has to hold").bare().partial(NOT_RUN, regex),
    Row::of(URL, "regex_no_match", "", "Text that the page must not hold")
        .partial(NOT_RUN, |c, _, _| with_regex(c, |regex| regex.negated = true)),
    Row::of(URL, "regex_options", "OPTION...", "Options of the regular expression")
        .bare()
        .partial(NOT_RUN, regex_options),
    Row::of(URL, "regex_stack", "START MAX", "Stack of the regular expression")
        .bare()
        .partial(NOT_RUN, regex_stack),
    Row::of(URL, "regex_min_offset", "OFFSET", "Where the text may begin")
        .bare()
        .partial(NOT_RUN, |c, n, d| offset(c, n, d, |it| &mut it.least_offset)),
    Row::of(URL, "regex_max_offset", "OFFSET", "Where the text has to begin")
        .bare()
        .partial(NOT_RUN, |c, n, d| offset(c, n, d, |it| &mut it.most_offset)),
    Row::of(TLS_URL, "tls_compliant", "", "Hold to the letter of TLS at the end of a page")
        .newer()
        .partial(NOT_RUN, |c, n, d| {
            let on = read::boolean(n.args.first());
            match (on, current_url(c)) {
                (Some(on), Some(url)) => url.tls_compliant = on,
                (None, _) => d.push(invalid(n)),
                _ => {}
            }
        }),
];

/// PCRE's, by keepalived's names for them.
const REGEX_OPTIONS: [&str; 24] = [
    "allow_empty_class",
    "alt_bsux",
    "alt_circumflex",
    "alt_verbnames",
    "auto_callout",
    "caseless",
    "dollar_endonly",
    "dotall",
    "dupnames",
    "extended",
    "firstline",
    "match_unset_backref",
    "multiline",
    "never_backslash_c",
    "never_ucp",
    "never_utf",
    "no_auto_capture",
    "no_auto_possess",
    "no_dotstar_anchor",
    "no_start_optimize",
    "ucp",
    "ungreedy",
    "use_offset_limit",
    "utf",
];

const DIGEST: usize = 32;

fn http(config: &mut KeepalivedConfig) -> Option<&mut Http> {
    match super::kind(config)? {
        Kind::Http(http) => Some(http),
        _ => None,
    }
}

fn current_url(config: &mut KeepalivedConfig) -> Option<&mut Url> {
    http(config)?.urls.last_mut()
}

fn url(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(http) = http(config) {
        http.urls.push(Url::default());
    }
}

pub(super) fn url_closed(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(http) = http(config) else { return };
    if http.urls.last().is_some_and(|url| url.path.is_empty()) {
        let message = "HTTP/SSL_GET checker url has no path - ignoring";
        diagnostics.push(complaint_at(end(node), message));
        http.urls.pop();
    }
}

fn http_protocol(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(word) = node.args.first() else {
        return diagnostics.push(complaint(node, "Missing http_protocol version"));
    };
    let protocol = match word.text.to_ascii_uppercase().as_slice() {
        b"1.0" => HttpProtocol::V10,
        b"1.0C" => HttpProtocol::V10Close,
        b"1.1" => HttpProtocol::V11,
        _ => {
            let message = format!("Invalid http_protocol version {}", word.lossy());
            return diagnostics.push(wrong(word, message, "1.0, 1.0C or 1.1".to_owned()));
        }
    };
    if let Some(http) = http(config) {
        http.protocol = protocol;
    }
}

fn boolean(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
    field: fn(&mut Http) -> &mut bool,
) {
    match (read::boolean(node.args.first()), http(config)) {
        (Some(on), Some(http)) => *field(http) = on,
        (None, _) => diagnostics.push(invalid(node)),
        _ => {}
    }
}

fn invalid(node: &Node) -> Diagnostic {
    let word = &node.args[0];
    let message = format!("Invalid {} parameter {}", node.name.lossy(), word.lossy());
    wrong(word, message, "neither on nor off".to_owned())
}

fn sni_name(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match (node.args.first(), http(config)) {
        (Some(word), Some(http)) => http.sni_name = Some(word.lossy().into_owned()),
        _ => diagnostics.push(complaint(node, "sni_name missing")),
    }
}

fn virtual_host(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match (node.args.first(), http(config)) {
        (Some(word), Some(http)) => http.virtual_host = Some(word.lossy().into_owned()),
        _ => diagnostics.push(complaint(node, "HTTP_GET virtualhost name missing")),
    }
}

fn url_virtual_host(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match (node.args.first(), current_url(config)) {
        (Some(word), Some(url)) => url.virtual_host = Some(word.lossy().into_owned()),
        _ => diagnostics.push(complaint(node, "Missing HTTP_GET virtualhost name")),
    }
}

fn path(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    if let Some(url) = current_url(config) {
        url.path = node.args[0].lossy().into_owned();
    }
}

fn digest(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let text = word.lossy();
    let Some(url) = current_url(config) else { return };
    let foreign = word.text.iter().position(|byte| !byte.is_ascii_hexdigit());
    let message = if url.digest.is_some() {
        format!("Digest '{text}' is a duplicate")
    } else if word.text.len() != DIGEST {
        let length = word.text.len();
        format!("digest '{text}' character length should be {DIGEST} rather than {length}")
    } else if let Some(at) = foreign {
        let pair = String::from_utf8_lossy(&word.text[at & !1..(at & !1) + 2]).into_owned();
        format!("Unable to interpret hex digit in '{pair}' at offset {}/{}", at & !1, (at & !1) + 1)
    } else {
        url.digest = Some(text.to_ascii_lowercase());
        return;
    };
    diagnostics.push(complaint(node, message));
}

/// Wrong codes are lost, one by one.
fn status_code(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(url) = current_url(config) else { return };
    for word in &node.args {
        let text = word.lossy();
        let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..=599).contains(code));
        let range = match text.split_once('-') {
            Some((first, last)) => {
                code(first).zip(code(last)).filter(|(first, last)| first <= last)
            }
            None => code(&text).map(|code| (code, code)),
        };
        match range {
            Some(range) => url.statuses.push(range),
            None => {
                let message = format!("Invalid HTTP_GET status code '{text}'");
                diagnostics.push(wrong(word, message, "100 to 599, or FIRST-LAST".to_owned()));
            }
        }
    }
}

fn with_regex(config: &mut KeepalivedConfig, change: impl FnOnce(&mut PageRegex)) {
    if let Some(url) = current_url(config) {
        change(url.regex.get_or_insert_default());
    }
}

/// What keepalived says nothing of, at least not where it is built without regular expressions as
/// on Debian.
fn doubtful(node: &Node, message: impl Into<String>) -> Diagnostic {
    Diagnostic::warning("keepalived/regex", message).at(read::line_span(node))
}

fn regex(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match node.args.first() {
        Some(word) => with_regex(config, |regex| regex.pattern = word.lossy().into_owned()),
        None => diagnostics.push(doubtful(node, "regex without a pattern - ignoring")),
    }
}

fn regex_options(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    for word in &node.args {
        let text = word.lossy();
        match REGEX_OPTIONS.contains(&text.as_ref()) {
            true => with_regex(config, |regex| regex.options.push(text.into_owned())),
            false => {
                diagnostics.push(doubtful(node, format!("Unknown regex option '{text}'")));
            }
        }
    }
}

fn regex_stack(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let number = |index: usize| read::number(node.args.get(index)?, 1..=u64::from(u32::MAX)).ok();
    match number(0).zip(number(1)).filter(|(start, most)| start <= most) {
        Some(stack) => with_regex(config, |regex| regex.stack = Some(stack)),
        None => {
            let message = "regex_stack takes two sizes in bytes, START and MAX - ignoring";
            diagnostics.push(doubtful(node, message));
        }
    }
}

fn offset(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
    field: fn(&mut PageRegex) -> &mut Option<u64>,
) {
    let number = node.args.first().map(|word| read::number(word, 0..=u64::from(u32::MAX)));
    match number {
        Some(Ok(offset)) => with_regex(config, |regex| *field(regex) = Some(offset)),
        _ => {
            let message = format!("{} takes a number of bytes - ignoring", node.name.lossy());
            diagnostics.push(doubtful(node, message));
        }
    }
}
