//! Containers and pods that never start.

mod errors;
mod hooks;
mod rejected;
pub(crate) mod rows;
mod sandbox;
mod stuck;

use super::observe::Observation;
use super::view::View;
pub(crate) use rows::CODES;

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for subject in view.subjects() {
        for container in subject.containers() {
            let error = errors::start_error(&container).or_else(|| errors::waiting_long(&container));
            out.extend(error.or_else(|| hooks::post_start(&container)).or_else(|| stuck::init_container(&container)));
        }
        out.extend(sandbox::observe(subject));
    }
    out.extend(hooks::pre_stop(view));
    out.extend(rejected::observe(view));
    out
}
