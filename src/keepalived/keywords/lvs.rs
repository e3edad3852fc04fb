//! `virtual_server` and all that stands in it: IPVS and its health checkers (keepalived.conf(5),
//! "LVS configuration"). None of it runs yet; the tables know every keyword, so that a misspelt
//! one is found all the same.

use super::Row;

const NO_IPVS: &str = "IPVS isn't set up and real servers aren't checked";

const VS: &[&str] = &["virtual_server"];
const RS: &[&str] = &["virtual_server real_server"];
const SSL: &[&str] = &["SSL"];
const VS_RS: &[&str] = &["virtual_server", "virtual_server real_server"];
const DNS: &[&str] = &["virtual_server real_server DNS_CHECK"];
const SMTP: &[&str] = &["virtual_server real_server SMTP_CHECK"];
const UDP: &[&str] = &["virtual_server real_server UDP_CHECK"];
const MISC: &[&str] = &["virtual_server real_server MISC_CHECK"];
const FILE: &[&str] = &["virtual_server real_server FILE_CHECK"];
const HTTP: &[&str] =
    &["virtual_server real_server HTTP_GET", "virtual_server real_server SSL_GET"];
const URL: &[&str] =
    &["virtual_server real_server HTTP_GET url", "virtual_server real_server SSL_GET url"];
const CONNECTING: &[&str] = &[
    "virtual_server real_server DNS_CHECK",
    "virtual_server real_server HTTP_GET",
    "virtual_server real_server PING_CHECK",
    "virtual_server real_server SMTP_CHECK",
    "virtual_server real_server SMTP_CHECK host",
    "virtual_server real_server SSL_GET",
    "virtual_server real_server TCP_CHECK",
    "virtual_server real_server UDP_CHECK",
];
const CHECKING: &[&str] = &[
    "virtual_server real_server DNS_CHECK",
    "virtual_server real_server HTTP_GET",
    "virtual_server real_server MISC_CHECK",
    "virtual_server real_server PING_CHECK",
    "virtual_server real_server SMTP_CHECK",
    "virtual_server real_server SMTP_CHECK host",
    "virtual_server real_server SSL_GET",
    "virtual_server real_server TCP_CHECK",
    "virtual_server real_server UDP_CHECK",
];
const TIMED: &[&str] = &[
    "virtual_server",
    "virtual_server real_server",
    "virtual_server real_server DNS_CHECK",
    "virtual_server real_server HTTP_GET",
    "virtual_server real_server MISC_CHECK",
    "virtual_server real_server PING_CHECK",
    "virtual_server real_server SMTP_CHECK",
    "virtual_server real_server SMTP_CHECK host",
    "virtual_server real_server SSL_GET",
    "virtual_server real_server TCP_CHECK",
    "virtual_server real_server UDP_CHECK",
];
const CONNECTED: &[&str] = &[
    "virtual_server",
    "virtual_server real_server",
    "virtual_server real_server DNS_CHECK",
    "virtual_server real_server HTTP_GET",
    "virtual_server real_server PING_CHECK",
    "virtual_server real_server SMTP_CHECK",
    "virtual_server real_server SMTP_CHECK host",
    "virtual_server real_server SSL_GET",
    "virtual_server real_server TCP_CHECK",
    "virtual_server real_server UDP_CHECK",
];
const ALPHA: &[&str] = &[
    "virtual_server",
    "virtual_server real_server",
    "virtual_server real_server BFD_CHECK",
    "virtual_server real_server DNS_CHECK",
    "virtual_server real_server HTTP_GET",
    "virtual_server real_server MISC_CHECK",
    "virtual_server real_server PING_CHECK",
    "virtual_server real_server SMTP_CHECK",
    "virtual_server real_server SMTP_CHECK host",
    "virtual_server real_server SSL_GET",
    "virtual_server real_server TCP_CHECK",
    "virtual_server real_server UDP_CHECK",
];
const HOSTS: &[&str] = &[
    "virtual_server",
    "virtual_server real_server",
    "virtual_server real_server HTTP_GET",
    "virtual_server real_server HTTP_GET url",
    "virtual_server real_server SSL_GET",
    "virtual_server real_server SSL_GET url",
];
const TLS: &[&str] =
    &["virtual_server real_server SSL_GET", "virtual_server real_server SSL_GET url"];

pub(super) const TABLE: &[Row] = &[
    Row::of(
        &["main"],
        "virtual_server",
        "ADDRESS [PORT]|fwmark N|group NAME",
        "A virtual service of IPVS",
    )
    .block("virtual_server")
    .refused(NO_IPVS),
    Row::of(&["main"], "virtual_server_group", "NAME", "Addresses that virtual services share")
        .lines()
        .needs_one()
        .refused(NO_IPVS),
    Row::of(&["main"], "SSL", "", "Certificates for SSL_GET").block("SSL").refused(NO_IPVS),
    Row::of(SSL, "password", "STRING", "Password of the key").bare().refused(NO_IPVS),
    Row::of(SSL, "ca", "FILE", "CA file").bare().refused(NO_IPVS),
    Row::of(SSL, "certificate", "FILE", "Certificate file").bare().refused(NO_IPVS),
    Row::of(SSL, "key", "FILE", "Key file").bare().refused(NO_IPVS),
    Row::of(VS, "real_server", "ADDRESS [PORT]", "A server behind the virtual service")
        .block("virtual_server real_server")
        .refused(NO_IPVS),
    Row::of(VS, "lvs_sched", "SCHEDULER", "Scheduler").refused(NO_IPVS),
    Row::of(VS, "lb_algo", "SCHEDULER", "Old name of lvs_sched").refused(NO_IPVS),
    Row::of(VS_RS, "lvs_method", "NAT|DR|TUN", "How packets get to the real server")
        .refused(NO_IPVS),
    Row::of(VS, "lb_kind", "NAT|DR|TUN", "Old name of lvs_method").refused(NO_IPVS),
    Row::of(VS, "flag-1", "", "Scheduler flag 1").refused(NO_IPVS),
    Row::of(VS, "flag-2", "", "Scheduler flag 2").refused(NO_IPVS),
    Row::of(VS, "flag-3", "", "Scheduler flag 3").refused(NO_IPVS),
    Row::of(VS, "sh-port", "", "sh: hash the port too").refused(NO_IPVS),
    Row::of(VS, "sh-fallback", "", "sh: go on to the next server").refused(NO_IPVS),
    Row::of(VS, "mh-port", "", "mh: hash the port too").refused(NO_IPVS),
    Row::of(VS, "mh-fallback", "", "mh: go on to the next server").refused(NO_IPVS),
    Row::of(VS, "hashed", "", "Old name of sh-port").refused(NO_IPVS),
    Row::of(VS, "ops", "", "One-packet scheduling").refused(NO_IPVS),
    Row::of(VS, "ha_suspend", "", "Check only while the address is here").refused(NO_IPVS),
    Row::of(VS, "omega", "", "Run the notifies for down at shutdown").refused(NO_IPVS),
    Row::of(VS, "sorry_server_inhibit", "", "inhibit_on_failure for the sorry server")
        .refused(NO_IPVS),
    Row::of(VS, "persistence_engine", "NAME", "Persistence engine").refused(NO_IPVS),
    Row::of(VS, "persistence_timeout", "[SECONDS]", "How long a client stays with its server")
        .default("360")
        .refused(NO_IPVS),
    Row::of(VS, "persistence_granularity", "NETMASK", "Which clients count as one")
        .refused(NO_IPVS),
    Row::of(VS, "protocol", "TCP|UDP|SCTP", "Protocol").refused(NO_IPVS),
    Row::of(VS, "ip_family", "inet|inet6", "Family of a firewall mark").refused(NO_IPVS),
    Row::of(VS, "quorum", "WEIGHT", "Weight that has to be alive").default("1").refused(NO_IPVS),
    Row::of(VS, "hysteresis", "WEIGHT", "Tolerance about the quorum").default("0").refused(NO_IPVS),
    Row::of(VS, "quorum_up", "COMMAND [USER [GROUP]]", "Run when the quorum is gained")
        .refused(NO_IPVS),
    Row::of(VS, "quorum_down", "COMMAND [USER [GROUP]]", "Run when the quorum is lost")
        .refused(NO_IPVS),
    Row::of(VS, "sorry_server", "ADDRESS [PORT]", "Server for when the quorum is lost")
        .refused(NO_IPVS),
    Row::of(VS, "sorry_server_lvs_method", "NAT|DR|TUN", "lvs_method of the sorry server")
        .bare()
        .refused(NO_IPVS),
    Row::of(RS, "notify_up", "COMMAND [USER [GROUP]]", "Run when the server comes up")
        .refused(NO_IPVS),
    Row::of(RS, "notify_down", "COMMAND [USER [GROUP]]", "Run when the server goes down")
        .refused(NO_IPVS),
    Row::of(RS, "uthreshold", "COUNT", "Most connections").refused(NO_IPVS),
    Row::of(RS, "lthreshold", "COUNT", "Connections below which it is used again").refused(NO_IPVS),
    Row::of(VS_RS, "inhibit_on_failure", "[BOOL]", "Weight 0 instead of removal on failure")
        .refused(NO_IPVS),
    Row::of(VS_RS, "smtp_alert", "[BOOL]", "Mail on a change of state").refused(NO_IPVS),
    Row::of(VS_RS, "snmp_name", "NAME", "Name for SNMP").bare().refused(NO_IPVS),
    Row::of(VS_RS, "weight", "INTEGER", "Weight").default("1").refused(NO_IPVS),
    Row::of(FILE, "weight", "INTEGER [reverse]", "What the value of the file is multiplied by")
        .bare()
        .default("1")
        .refused(NO_IPVS),
    Row::of(HOSTS, "virtualhost", "NAME", "Host header of HTTP checks").bare().refused(NO_IPVS),
    Row::of(ALPHA, "alpha", "[BOOL]", "Down until the first check succeeds").refused(NO_IPVS),
    Row::of(CONNECTED, "connect_timeout", "SECONDS", "How long a check may take to connect")
        .default("5")
        .refused(NO_IPVS),
    Row::of(TIMED, "retry", "COUNT", "Failures in a row until it is down")
        .default("1")
        .refused(NO_IPVS),
    Row::of(TIMED, "delay_before_retry", "SECONDS", "From a failure to the next try")
        .default("1")
        .refused(NO_IPVS),
    Row::of(TIMED, "warmup", "SECONDS", "Longest random wait before the first check")
        .default("delay_loop")
        .refused(NO_IPVS),
    Row::of(TIMED, "delay_loop", "SECONDS", "From one check to the next")
        .default("60")
        .refused(NO_IPVS),
    Row::of(RS, "BFD_CHECK", "", "Down while a BFD session is down")
        .block("virtual_server real_server BFD_CHECK")
        .refused(NO_IPVS),
    Row::of(RS, "DNS_CHECK", "", "Ask a DNS server")
        .block("virtual_server real_server DNS_CHECK")
        .refused(NO_IPVS),
    Row::of(RS, "FILE_CHECK", "", "Weight from a file")
        .block("virtual_server real_server FILE_CHECK")
        .refused(NO_IPVS),
    Row::of(RS, "HTTP_GET", "", "Fetch pages over HTTP")
        .block("virtual_server real_server HTTP_GET")
        .refused(NO_IPVS),
    Row::of(RS, "MISC_CHECK", "", "Run a command")
        .block("virtual_server real_server MISC_CHECK")
        .refused(NO_IPVS),
    Row::of(RS, "PING_CHECK", "", "Ping")
        .block("virtual_server real_server PING_CHECK")
        .refused(NO_IPVS),
    Row::of(RS, "SMTP_CHECK", "", "Greet a mail server")
        .block("virtual_server real_server SMTP_CHECK")
        .refused(NO_IPVS),
    Row::of(RS, "SSL_GET", "", "Fetch pages over HTTPS")
        .block("virtual_server real_server SSL_GET")
        .refused(NO_IPVS),
    Row::of(RS, "TCP_CHECK", "", "Connect")
        .block("virtual_server real_server TCP_CHECK")
        .refused(NO_IPVS),
    Row::of(RS, "UDP_CHECK", "", "Send a datagram")
        .block("virtual_server real_server UDP_CHECK")
        .refused(NO_IPVS),
    Row::of(CONNECTING, "connect_ip", "ADDRESS", "Check this address instead").refused(NO_IPVS),
    Row::of(CONNECTING, "connect_port", "PORT", "Check this port instead").refused(NO_IPVS),
    Row::of(CONNECTING, "bindto", "ADDRESS", "Source address of checks").refused(NO_IPVS),
    Row::of(CONNECTING, "bind_if", "INTERFACE", "Interface of checks").refused(NO_IPVS),
    Row::of(CONNECTING, "bind_port", "PORT", "Source port of checks").refused(NO_IPVS),
    Row::of(CONNECTING, "fwmark", "MARK", "Firewall mark of checks").refused(NO_IPVS),
    Row::of(CHECKING, "log_all_failures", "[BOOL]", "Log failures of a server that is up")
        .refused(NO_IPVS),
    Row::of(&["virtual_server real_server HTTP_GET"], "url", "", "A page to fetch")
        .block("virtual_server real_server HTTP_GET url")
        .refused(NO_IPVS),
    Row::of(&["virtual_server real_server SSL_GET"], "url", "", "A page to fetch")
        .block("virtual_server real_server SSL_GET url")
        .refused(NO_IPVS),
    Row::of(HTTP, "http_protocol", "1.0|1.0C|1.1", "HTTP version").bare().refused(NO_IPVS),
    Row::of(HTTP, "nb_get_retry", "COUNT", "Old name of retry").refused(NO_IPVS),
    Row::of(HTTP, "fast_recovery", "[BOOL]", "Check all pages at once when coming up")
        .refused(NO_IPVS),
    Row::of(HTTP, "enable_sni", "", "Send the host name in the TLS handshake").refused(NO_IPVS),
    Row::of(HTTP, "sni_name", "NAME", "Name for the TLS handshake").bare().newer().refused(NO_IPVS),
    Row::of(TLS, "tls_compliant", "", "Hold to the letter of TLS at the end of a page")
        .newer()
        .refused(NO_IPVS),
    Row::of(URL, "path", "PATH", "Path of the page").refused(NO_IPVS),
    Row::of(URL, "digest", "MD5", "Digest of the page").refused(NO_IPVS),
    Row::of(URL, "status_code", "CODE|RANGE...", "Status that is a success")
        .bare()
        .default("200-299")
        .refused(NO_IPVS),
    Row::of(URL, "regex", "REGEX", "Text that the page has to hold").bare().refused(NO_IPVS),
    Row::of(URL, "regex_no_match", "", "Text that the page must not hold").refused(NO_IPVS),
    Row::of(URL, "regex_options", "OPTION...", "Options of the regular expression")
        .bare()
        .refused(NO_IPVS),
    Row::of(URL, "regex_stack", "START MAX", "Stack of the regular expression")
        .bare()
        .refused(NO_IPVS),
    Row::of(URL, "regex_min_offset", "OFFSET", "Where the text may begin").bare().refused(NO_IPVS),
    Row::of(URL, "regex_max_offset", "OFFSET", "Where the text has to begin")
        .bare()
        .refused(NO_IPVS),
    Row::of(SMTP, "helo_name", "NAME", "Name to greet with").bare().refused(NO_IPVS),
    Row::of(SMTP, "host", "", "Another host to check (old)")
        .block("virtual_server real_server SMTP_CHECK host")
        .refused(NO_IPVS),
    Row::of(DNS, "type", "TYPE", "Kind of query").default("SOA").refused(NO_IPVS),
    Row::of(DNS, "name", "NAME", "The name to ask for").default(".").refused(NO_IPVS),
    Row::of(&["virtual_server real_server BFD_CHECK"], "name", "NAME", "The session")
        .bare()
        .refused(NO_IPVS),
    Row::of(MISC, "misc_path", "COMMAND", "What is run").bare().refused(NO_IPVS),
    Row::of(MISC, "misc_timeout", "SECONDS", "How long it may take").refused(NO_IPVS),
    Row::of(MISC, "misc_dynamic", "", "Weight from the exit status").refused(NO_IPVS),
    Row::of(MISC, "user", "USER [GROUP]", "Whom it runs as").bare().refused(NO_IPVS),
    Row::of(UDP, "payload", "HEX", "What is sent").bare().refused(NO_IPVS),
    Row::of(UDP, "require_reply", "[HEX]", "An answer has to come").refused(NO_IPVS),
    Row::of(UDP, "min_reply_length", "BYTES", "Least length of the answer").refused(NO_IPVS),
    Row::of(UDP, "max_reply_length", "BYTES", "Greatest length of the answer").refused(NO_IPVS),
    Row::of(FILE, "track_file", "NAME", "The file").refused(NO_IPVS),
    Row::of(FILE, "dynamic", "", "Weight from the value of the file").refused(NO_IPVS),
];
