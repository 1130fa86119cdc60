//! Workloads by the labels that a selector may ask for.

use super::view::Workload;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Positions of workloads by namespace and label, of their template or of a pod of theirs.
#[derive(Default)]
pub(crate) struct Labelled(BTreeMap<u64, Vec<usize>>);

impl Labelled {
    pub(crate) fn new(workloads: &[Workload<'_>]) -> Self {
        let mut found = Self::default();
        for (at, workload) in workloads.iter().enumerate() {
            let mut last = workload.labels;
            found.add(at, workload.top.namespace(), last);
            for pod in &workload.pods {
                // Pods of one template have the same labels.
                if pod.metadata.labels != *last {
                    last = &pod.metadata.labels;
                    found.add(at, workload.top.namespace(), last);
                }
            }
        }
        found
    }

    fn add(&mut self, at: usize, namespace: &str, labels: &BTreeMap<String, String>) {
        for (key, value) in labels {
            let all = self.0.entry(hash(namespace, key, value)).or_default();
            if all.last() != Some(&at) {
                all.push(at);
            }
        }
    }

    /// Where the workloads stand that the selector may select, in order: all others it does not. Labels of one
    /// hash stand together, so who asks looks at the labels themselves.
    pub(crate) fn among(&self, namespace: &str, selector: &BTreeMap<String, String>) -> &[usize] {
        let found =
            |(key, value): (&String, &String)| self.0.get(&hash(namespace, key, value)).map_or(&[][..], Vec::as_slice);
        selector.iter().map(found).min_by_key(|all| all.len()).unwrap_or_default()
    }
}

fn hash(namespace: &str, key: &str, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (namespace, key, value).hash(&mut hasher);
    hasher.finish()
}
