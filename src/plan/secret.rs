//! Bytes that must not be seen.

use std::cell::Cell;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A password or key. Prints and serialises as `********`, except inside [`reveal`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Secret(#[serde(deserialize_with = "from_hex")] Vec<u8>);

const MASK: &str = "********";

thread_local! {
    static REVEALED: Cell<bool> = const { Cell::new(false) };
}

impl Secret {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Secret(bytes.into())
    }

    /// The bytes themselves, for packets and digests only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Runs `write` with secrets serialised as they are (in hex): only for the hand-off to a role
/// process over a descriptor that nobody else can read.
pub fn reveal<T>(write: impl FnOnce() -> T) -> T {
    struct Mask;
    impl Drop for Mask {
        fn drop(&mut self) {
            REVEALED.set(false);
        }
    }
    let _mask = Mask;
    REVEALED.set(true);
    write()
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if REVEALED.get() {
            let hex: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
            out.serialize_str(&hex)
        } else {
            out.serialize_str(MASK)
        }
    }
}

fn from_hex<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u8>, D::Error> {
    let hex = String::deserialize(input)?;
    let byte = |at| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..hex.len())
        .step_by(2)
        .map(|at| byte(at).ok_or_else(|| serde::de::Error::custom("a secret that was masked")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_outside_reveal_and_whole_inside() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), MASK);
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"********\"");
        let json = reveal(|| serde_json::to_string(&secret).unwrap());
        assert_eq!(serde_json::from_str::<Secret>(&json).unwrap(), secret);
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"********\"");
        assert!(serde_json::from_str::<Secret>("\"********\"").is_err());
    }
}
