//! nginx's own variables in `stream {}`: what can be asked of a session.

use serde::{Deserialize, Serialize};

/// Declares [`Fact`] with the names that configs use.
macro_rules! facts {
    ($($fact:ident $name:literal)*) => {
        /// A variable that nginx has without anyone defining it. What each means is in nginx's
        /// documentation, under the module that brings it.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Fact {
            $($fact,)*
            /// `$proxy_protocol_tlv_NAME`, with the name in lower case.
            ProxyProtocolTlv(String),
        }

        impl Fact {
            /// All names; one that ends in `_` is a prefix.
            pub const NAMES: &[&str] = &[$($name,)* TLV];

            /// The fact of a name in lower case.
            pub fn named(name: &str) -> Option<Fact> {
                match name {
                    $($name => Some(Fact::$fact),)*
                    _ => {
                        let rest = name.strip_prefix(TLV).filter(|rest| !rest.is_empty())?;
                        Some(Fact::ProxyProtocolTlv(rest.to_owned()))
                    }
                }
            }
        }
    };
}

const TLV: &str = "proxy_protocol_tlv_";

facts! {
    BinaryRemoteAddr "binary_remote_addr"
    BytesReceived "bytes_received"
    BytesSent "bytes_sent"
    Connection "connection"
    GeoipAreaCode "geoip_area_code"
    GeoipCity "geoip_city"
    GeoipCityContinentCode "geoip_city_continent_code"
    GeoipCityCountryCode "geoip_city_country_code"
    GeoipCityCountryCode3 "geoip_city_country_code3"
    GeoipCityCountryName "geoip_city_country_name"
    GeoipCountryCode "geoip_country_code"
    GeoipCountryCode3 "geoip_country_code3"
    GeoipCountryName "geoip_country_name"
    GeoipDmaCode "geoip_dma_code"
    GeoipLatitude "geoip_latitude"
    GeoipLongitude "geoip_longitude"
    GeoipOrg "geoip_org"
    GeoipPostalCode "geoip_postal_code"
    GeoipRegion "geoip_region"
    GeoipRegionName "geoip_region_name"
    Hostname "hostname"
    LimitConnStatus "limit_conn_status"
    Msec "msec"
    NginxVersion "nginx_version"
    Pid "pid"
    Protocol "protocol"
    ProxyProtocolAddr "proxy_protocol_addr"
    ProxyProtocolPort "proxy_protocol_port"
    ProxyProtocolServerAddr "proxy_protocol_server_addr"
    ProxyProtocolServerPort "proxy_protocol_server_port"
    RealipRemoteAddr "realip_remote_addr"
    RealipRemotePort "realip_remote_port"
    RemoteAddr "remote_addr"
    RemotePort "remote_port"
    ServerAddr "server_addr"
    ServerName "server_name"
    ServerPort "server_port"
    SessionTime "session_time"
    SslAlpnProtocol "ssl_alpn_protocol"
    SslCipher "ssl_cipher"
    SslCiphers "ssl_ciphers"
    SslClientCert "ssl_client_cert"
    SslClientEscapedCert "ssl_client_escaped_cert"
    SslClientFingerprint "ssl_client_fingerprint"
    SslClientIDn "ssl_client_i_dn"
    SslClientRawCert "ssl_client_raw_cert"
    SslClientSDn "ssl_client_s_dn"
    SslClientSerial "ssl_client_serial"
    SslClientSigalg "ssl_client_sigalg"
    SslClientVEnd "ssl_client_v_end"
    SslClientVRemain "ssl_client_v_remain"
    SslClientVStart "ssl_client_v_start"
    SslClientVerify "ssl_client_verify"
    SslCurve "ssl_curve"
    SslCurves "ssl_curves"
    SslEchOuterServerName "ssl_ech_outer_server_name"
    SslEchStatus "ssl_ech_status"
    SslPrereadAlpnProtocols "ssl_preread_alpn_protocols"
    SslPrereadProtocol "ssl_preread_protocol"
    SslPrereadServerName "ssl_preread_server_name"
    SslProtocol "ssl_protocol"
    SslServerName "ssl_server_name"
    SslSessionId "ssl_session_id"
    SslSessionReused "ssl_session_reused"
    SslSigalg "ssl_sigalg"
    SslSigalgs "ssl_sigalgs"
    Status "status"
    TimeIso8601 "time_iso8601"
    TimeLocal "time_local"
    UpstreamAddr "upstream_addr"
    UpstreamBytesReceived "upstream_bytes_received"
    UpstreamBytesSent "upstream_bytes_sent"
    UpstreamConnectTime "upstream_connect_time"
    UpstreamFirstByteTime "upstream_first_byte_time"
    UpstreamSessionTime "upstream_session_time"
}
