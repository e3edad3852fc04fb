//! `http {}` and `mail {}`: their braces and includes are checked, and their servers are counted so
//! that one warning can say what isn't served.

use super::config::{ForeignServer, NginxConfig};
use super::directives;
use super::walk::{Walk, not_allowed, unknown};
use crate::text::{Diagnostic, Diagnostics, Node};

/// Directives of nginx's http modules that people misplace; nginx says of them "not allowed here".
/// Source: nginx documentation, alphabetical index of directives.
const NAMES: &[&str] = &[
    "absolute_redirect",
    "access_by_lua",
    "add_after_body",
    "add_before_body",
    "add_header",
    "add_trailer",
    "addition_types",
    "aio",
    "aio_write",
    "alias",
    "ancient_browser",
    "ancient_browser_value",
    "auth_basic",
    "auth_basic_user_file",
    "auth_delay",
    "auth_request",
    "auth_request_set",
    "autoindex",
    "autoindex_exact_size",
    "autoindex_format",
    "autoindex_localtime",
    "break",
    "charset",
    "charset_map",
    "charset_types",
    "chunked_transfer_encoding",
    "client_body_buffer_size",
    "client_body_in_file_only",
    "client_body_in_single_buffer",
    "client_body_temp_path",
    "client_body_timeout",
    "client_header_buffer_size",
    "client_header_timeout",
    "client_max_body_size",
    "connection_pool_size",
    "create_full_put_path",
    "dav_access",
    "dav_methods",
    "default_type",
    "directio",
    "directio_alignment",
    "disable_symlinks",
    "empty_gif",
    "error_page",
    "etag",
    "expires",
    "fastcgi_buffers",
    "fastcgi_cache",
    "fastcgi_index",
    "fastcgi_param",
    "fastcgi_pass",
    "fastcgi_read_timeout",
    "fastcgi_split_path_info",
    "flv",
    "grpc_pass",
    "grpc_set_header",
    "gunzip",
    "gzip",
    "gzip_buffers",
    "gzip_comp_level",
    "gzip_disable",
    "gzip_http_version",
    "gzip_min_length",
    "gzip_proxied",
    "gzip_static",
    "gzip_types",
    "gzip_vary",
    "http2",
    "http2_max_concurrent_streams",
    "http2_push",
    "if",
    "if_modified_since",
    "ignore_invalid_headers",
    "image_filter",
    "index",
    "internal",
    "ip_hash",
    "keepalive",
    "keepalive_disable",
    "keepalive_requests",
    "keepalive_time",
    "keepalive_timeout",
    "large_client_header_buffers",
    "limit_except",
    "limit_rate",
    "limit_rate_after",
    "limit_req",
    "limit_req_log_level",
    "limit_req_status",
    "limit_req_zone",
    "limit_conn_status",
    "limit_zone",
    "lingering_close",
    "lingering_time",
    "lingering_timeout",
    "location",
    "log_not_found",
    "log_subrequest",
    "max_ranges",
    "memcached_pass",
    "merge_slashes",
    "min_delete_depth",
    "mirror",
    "modern_browser",
    "modern_browser_value",
    "mp4",
    "msie_padding",
    "msie_refresh",
    "open_file_cache",
    "open_file_cache_errors",
    "open_file_cache_min_uses",
    "open_file_cache_valid",
    "output_buffers",
    "override_charset",
    "port_in_redirect",
    "postpone_output",
    "proxy_buffering",
    "proxy_buffers",
    "proxy_busy_buffers_size",
    "proxy_cache",
    "proxy_cache_bypass",
    "proxy_cache_key",
    "proxy_cache_path",
    "proxy_cache_use_stale",
    "proxy_cache_valid",
    "proxy_cookie_domain",
    "proxy_cookie_path",
    "proxy_force_ranges",
    "proxy_headers_hash_bucket_size",
    "proxy_headers_hash_max_size",
    "proxy_hide_header",
    "proxy_http_version",
    "proxy_ignore_client_abort",
    "proxy_ignore_headers",
    "proxy_intercept_errors",
    "proxy_max_temp_file_size",
    "proxy_method",
    "proxy_no_cache",
    "proxy_pass_header",
    "proxy_pass_request_body",
    "proxy_pass_request_headers",
    "proxy_read_timeout",
    "proxy_redirect",
    "proxy_request_buffering",
    "proxy_send_lowat",
    "proxy_send_timeout",
    "proxy_set_body",
    "proxy_set_header",
    "proxy_store",
    "proxy_temp_file_write_size",
    "proxy_temp_path",
    "random_index",
    "read_ahead",
    "real_ip_header",
    "real_ip_recursive",
    "recursive_error_pages",
    "referer_hash_bucket_size",
    "request_pool_size",
    "reset_timedout_connection",
    "rewrite",
    "rewrite_log",
    "root",
    "satisfy",
    "scgi_param",
    "scgi_pass",
    "secure_link",
    "send_lowat",
    "send_timeout",
    "sendfile",
    "sendfile_max_chunk",
    "server_name_in_redirect",
    "server_tokens",
    "slice",
    "source_charset",
    "ssi",
    "ssl",
    "stub_status",
    "sub_filter",
    "sub_filter_once",
    "subrequest_output_buffer_size",
    "tcp_nopush",
    "try_files",
    "types",
    "types_hash_bucket_size",
    "types_hash_max_size",
    "underscores_in_headers",
    "uninitialized_variable_warn",
    "userid",
    "uwsgi_param",
    "uwsgi_pass",
    "valid_referers",
    "xclient",
];

pub(super) fn knows(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Walk<'_> {
    pub(super) fn foreign(&mut self, block: &'static str, node: &Node, nodes: &[Node]) {
        self.config.foreign_blocks.push((block, node.name.span));
        for server in nodes.iter().filter(|node| node.name.is("server")) {
            let Some(body) = &server.body else { continue };
            let words = |name: &str| {
                let named = body.iter().filter(|node| node.name.is(name));
                named
                    .flat_map(|node| node.args.iter().map(|word| word.lossy().into_owned()))
                    .collect()
            };
            let listens = body.iter().filter(|node| node.name.is("listen"));
            let mut listens: Vec<String> =
                listens.filter_map(|node| Some(node.args.first()?.lossy().into_owned())).collect();
            if listens.is_empty() && block == "http" {
                listens.push("80".to_owned());
            }
            self.config.foreign.push(ForeignServer { block, names: words("server_name"), listens });
        }
        if block == "http" {
            self.http(nodes);
        } else {
            self.skip(nodes);
        }
    }

    /// Only what is certain: names that belong into other blocks, and what can't be a name at all.
    /// Modules that Evenkeel doesn't know may have any other name.
    fn http(&mut self, nodes: &[Node]) {
        for node in nodes {
            let terminator = self.visit();
            let name = node.name.lossy();
            let body = node.body.as_deref().unwrap_or_default();
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let only_elsewhere = directives::all()
                .filter(|row| row.name == name)
                .all(|row| matches!(row.contexts, ["main" | "events"]) && row.name != "error_log");
            let known = directives::all().any(|row| row.name == name);
            if !name.chars().all(is_name) {
                self.report(unknown(&name, None).at(node.name.span), node, terminator);
            } else if known && only_elsewhere {
                self.report(not_allowed(&name).at(node.name.span), node, terminator);
            }
            match &*name {
                "server" | "location" => self.http(body),
                "map" | "geo" | "types" | "split_clients" => self.lines(body),
                _ => self.skip(body),
            }
        }
    }
}

/// One warning per block: what isn't served.
pub(super) fn warn(config: &NginxConfig, out: &mut Diagnostics) {
    for (block, span) in &config.foreign_blocks {
        let servers: Vec<_> =
            config.foreign.iter().filter(|server| server.block == *block).collect();
        let message = match servers.len() {
            0 => format!("\"{block}\" is not served by evenkeel; no server is in it"),
            count => {
                let shown: Vec<_> = servers.iter().take(8).map(|server| describe(server)).collect();
                let more = if count > shown.len() { ", …" } else { "" };
                let plural = if count == 1 { "" } else { "s" };
                let shown = shown.join(", ");
                format!(
                    "\"{block}\" is not served by evenkeel: {count} server{plural} left out ({shown}{more})"
                )
            }
        };
        let help = "only stream {} is run; whatever listened there will not";
        out.push(Diagnostic::warning("nginx/not-served", message).at(*span).help(help));
    }
}

/// `example.test on 80 and [::]:80`
fn describe(server: &ForeignServer) -> String {
    let listens = server.listens.join(" and ");
    match server.names.first().filter(|name| *name != "_") {
        Some(name) => format!("{name} on {listens}"),
        None => format!("listen {listens}"),
    }
}
