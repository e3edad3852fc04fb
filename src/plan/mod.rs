//! What will run: the one thing that both dialects lower to and that every role runs from.
//!
//! A Plan is resolved (indices, not names), has no dangling reference, and keeps a [`Span`] per
//! item for messages at run time. It is serialisable: the supervisor hands each role its slice,
//! `evenkeel plan` prints it, fixtures store it. Equality ignores spans, so a config that only
//! moved by a line is the same plan. Read [`vrrp`] and [`stream`] next.
//!
//! [`Span`]: crate::text::Span

pub mod access_log;
pub mod address;
pub mod bfd;
pub mod checker;
pub mod conduct;
pub mod device;
pub mod endpoint;
pub mod fact;
pub mod group;
pub mod ocsp;
pub mod pattern;
pub mod placement;
pub mod process;
pub mod rare;
pub mod route;
pub mod secret;
pub mod snmp;
pub mod stream;
pub mod table;
pub mod telling;
pub mod template;
pub mod tls;
pub mod track;
pub mod vrrp;
pub mod vrrp_process;
pub mod wire;

use serde::{Deserialize, Serialize};

pub use process::StreamProcess;
pub use secret::Secret;
pub use stream::StreamPlan;
pub use vrrp::VrrpPlan;

/// Everything that one supervisor runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// From keepalived.conf; `None` where there is no such file or nothing in it to run.
    pub vrrp: Option<VrrpPlan>,
    /// From nginx.conf; `None` where there is no such file.
    pub stream: Option<StreamPlan>,
    /// From keepalived.conf.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checkers: checker::CheckerPlan,
    /// From keepalived.conf.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bfd: bfd::BfdPlan,
}

/// What says nothing is left out of plans that people read.
fn is_default<T: Default + PartialEq>(it: &T) -> bool {
    *it == T::default()
}

/// Bytes in plans are written as text where they are text, which people can read.
pub mod text {
    use bstr::{BString, ByteSlice};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub fn serialize<S: Serializer>(bytes: &BString, out: S) -> Result<S::Ok, S::Error> {
        match bytes.to_str() {
            Ok(text) => text.serialize(out),
            Err(_) => bytes.as_bytes().serialize(out),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<BString, D::Error> {
        Ok(match Written::deserialize(input)? {
            Written::Text(text) => text.into(),
            Written::Bytes(bytes) => bytes.into(),
        })
    }
}

/// Durations in plans are written as decimal seconds, which people can read.
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, out: S) -> Result<S::Ok, S::Error> {
        duration.as_secs_f64().serialize(out)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(input)?;
        let duration = Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)?;
        // Plans hold nothing finer than microseconds; floats would otherwise add stray nanoseconds.
        Ok(Duration::from_micros((duration.as_nanos() as u64 + 500) / 1000))
    }

    /// The same for `Option<Duration>`.
    pub mod option {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        pub fn serialize<S: Serializer>(it: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
            it.map(|duration| duration.as_secs_f64()).serialize(out)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(
            input: D,
        ) -> Result<Option<Duration>, D::Error> {
            #[derive(Deserialize)]
            struct Wrapped(#[serde(with = "super")] Duration);
            Ok(Option::<Wrapped>::deserialize(input)?.map(|Wrapped(duration)| duration))
        }
    }
}
