//! How the stream role's workers get the machine: nginx's `worker_priority`,
//! `worker_cpu_affinity`, `worker_rlimit_core`, `working_directory`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// `worker_priority`: -20..=19.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// `worker_rlimit_core`, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core_limit: Option<u64>,
    /// `working_directory`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

/// `worker_cpu_affinity`: CPUs by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Affinity {
    /// One CPU each, in turn; empty: of all that there are.
    Auto(Vec<u16>),
    /// Those of each worker; the last ones are for all further workers, too.
    Masks(Vec<Vec<u16>>),
}

impl Affinity {
    /// The CPUs of a worker, counted from 0, on a host with so many.
    pub fn cpus(&self, worker: usize, available: usize) -> Vec<u16> {
        match self {
            Affinity::Auto(cpus) if cpus.is_empty() => {
                vec![u16::try_from(worker % available.max(1)).unwrap_or_default()]
            }
            Affinity::Auto(cpus) => vec![cpus[worker % cpus.len()]],
            Affinity::Masks(masks) => {
                masks.get(worker).or(masks.last()).cloned().unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Affinity;

    #[test]
    fn cpus_of_workers() {
        let auto = Affinity::Auto(vec![]);
        assert_eq!([0, 1, 2].map(|worker| auto.cpus(worker, 2)), [[0], [1], [0]]);
        let some = Affinity::Auto(vec![1, 3]);
        assert_eq!([0, 1, 2].map(|worker| some.cpus(worker, 8)), [[1], [3], [1]]);
        let masks = Affinity::Masks(vec![vec![0], vec![1, 2]]);
        assert_eq!(masks.cpus(0, 2), [0]);
        assert_eq!(masks.cpus(5, 2), [1, 2]);
    }
}
