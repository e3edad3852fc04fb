//! What few items of a plan have: a pointer's room where it says nothing.
//!
//! Thousands of virtual routers are kept at once, and what can be said of one takes twenty times
//! the room of what usually is said.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Reads and writes as a `T`; one that says nothing is [`Unsaid::UNSAID`], which all share.
#[derive(Clone, Debug)]
pub struct Rare<T>(Option<Box<T>>);

/// A part of a plan that can be left out altogether.
pub trait Unsaid: Clone + PartialEq + Sized + 'static {
    /// What holds then; the type's default.
    const UNSAID: &'static Self;
}

impl<T: Unsaid> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::UNSAID)
    }
}

impl<T: Unsaid> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::UNSAID.clone()))
    }
}

impl<T: Unsaid> From<T> for Rare<T> {
    fn from(it: T) -> Self {
        Rare((it != *T::UNSAID).then(|| Box::new(it)))
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Rare(None)
    }
}

impl<T: Unsaid> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Unsaid + Eq> Eq for Rare<T> {}

impl<T: Unsaid + Serialize> Serialize for Rare<T> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(out)
    }
}

impl<'de, T: Unsaid + Deserialize<'de>> Deserialize<'de> for Rare<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(T::deserialize(input)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::vrrp::{GratuitousArp, Notify, VirtualRouter};

    #[test]
    fn what_is_said_is_kept_and_what_is_not_takes_no_room() {
        assert_eq!(size_of::<Rare<Notify>>(), size_of::<usize>());
        // A megabyte holds more than two thousand of them, besides addresses.
        assert!(size_of::<VirtualRouter>() <= 400, "{}", size_of::<VirtualRouter>());
        assert_eq!(*GratuitousArp::UNSAID, GratuitousArp::default());
        let mut garp = Rare::<GratuitousArp>::default();
        assert!(garp.0.is_none());
        garp.repeat = 7;
        let json = serde_json::to_string(&garp).unwrap();
        assert_eq!(serde_json::from_str::<Rare<GratuitousArp>>(&json).unwrap(), garp);
        garp.repeat = GratuitousArp::default().repeat;
        assert_eq!(garp, Rare::default());
        let json = serde_json::to_string(&garp).unwrap();
        assert!(serde_json::from_str::<Rare<GratuitousArp>>(&json).unwrap().0.is_none());
    }
}
