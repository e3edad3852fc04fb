//! What the supervisor keeps of a plan: what it works by as it is, and what it only hands out as
//! compressed JSON. Virtual routers are alike, so that a thousand of them are some 30 kB in there,
//! and two megabytes as a plan that nobody here reads.

use std::io;
use std::ops::Deref;

use serde_json::value::RawValue;

use crate::plan::vrrp::VrrpPlan;
use crate::plan::{Plan, secret};

/// Reads as the plan, but of `vrrp` only `process` and `telling` are there, and nothing is of what
/// no role runs by.
#[derive(Debug)]
pub(super) struct Kept {
    plan: Plan,
    /// The vrrp role's whole slice, secrets revealed.
    packed: Box<[u8]>,
}

impl Kept {
    pub(super) fn new(plan: Plan) -> Kept {
        let json = secret::reveal(|| serde_json::to_vec(&plan.vrrp)).unwrap_or_default();
        let packed = lz4_flex::compress_prepend_size(&json).into_boxed_slice();
        let shell = |it: VrrpPlan| VrrpPlan {
            process: it.process,
            telling: it.telling,
            ..VrrpPlan::default()
        };
        let plan = Plan { vrrp: plan.vrrp.map(shell), stream: plan.stream, ..Plan::default() };
        Kept { plan, packed }
    }

    /// The vrrp role's slice, to be handed to it.
    pub(super) fn vrrp(&self) -> io::Result<Box<RawValue>> {
        let broken = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        let json = lz4_flex::decompress_size_prepended(&self.packed);
        let json = json.map_err(|error| broken(error.to_string()))?;
        let json = String::from_utf8(json).map_err(|error| broken(error.to_string()))?;
        Ok(RawValue::from_string(json)?)
    }
}

impl Deref for Kept {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Secret;
    use crate::plan::vrrp::{Authentication, VirtualAddress, VirtualRouter};

    #[test]
    fn what_is_handed_out_is_the_plan_and_what_is_kept_is_small() {
        let router = |n: usize| {
            let mut router = VirtualRouter::new(&format!("V{n}"), 1, "eth0");
            let address = [10, 1, (n / 256) as u8, n as u8].into();
            router.addresses = vec![VirtualAddress::new(address, 32); 4];
            router.authentication = Some(Authentication::Pass(Secret::new("1111")));
            router
        };
        let mut vrrp = VrrpPlan { routers: (0..1000).map(router).collect(), ..VrrpPlan::default() };
        vrrp.process.leave_addresses = true;
        let kept = Kept::new(Plan { vrrp: Some(vrrp.clone()), ..Plan::default() });
        assert!(kept.vrrp.as_ref().is_some_and(|it| it.process.leave_addresses));
        assert_eq!(serde_json::from_str::<VrrpPlan>(kept.vrrp().unwrap().get()).unwrap(), vrrp);
        assert!(kept.packed.len() < 100_000, "{} bytes", kept.packed.len());
    }
}
