//! One judgement per table row.

use super::cluster::{ClusterFacts, Holds, LiveField};
use super::content::{Changed, Difference, Place, Reading, Whole, read};
use super::controller::Controller;
use super::forge::{ForgeFacts, Standing as Request};
use super::git::{GitFacts, Moment};
use super::*;
use crate::diagnose::{Progress, Standing};
use crate::model::history::{Commit, FileAt};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use jiff::Timestamp;
use serde_json::json;

pub(super) fn subject() -> Subject {
    let object = ObjectRef::new("apps/v1", "Deployment", "shop", "web");
    Subject {
        record: "00".into(),
        hash: "11".into(),
        code: "oom-killed".into(),
        target: object.clone(),
        object,
        container: None,
        live: Vec::new(),
        edits: Vec::new(),
        cluster: String::new(),
        repo: String::new(),
        base_branch: "main".into(),
        base: "b".into(),
        branch: "aifix/x".into(),
        commit: "c0ffee0".into(),
        remote: String::new(),
        request: None,
        pushed: None,
        told: Vec::new(),
    }
}

fn moment(id: &str, reading: Reading) -> Moment {
    let commit = Commit { id: id.into(), subject: "s".into(), author: "Ada".into(), at: None, parents: Vec::new() };
    Moment { commit, reading, contains: false, named: false }
}

fn git(moments: Vec<Moment>) -> Asked<GitFacts> {
    let (base_branch, tip) = ("main".to_owned(), "t".to_owned());
    Asked::Seen(GitFacts { base_branch, tip, moments, whole: true, branch: Some("c0ffee0".into()) })
}

fn at(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

/// A workload that has had the change for 1000 seconds and its pods for 500.
fn well() -> ClusterFacts {
    let (desired, ready) = (2, 2);
    ClusterFacts {
        context: "prod".into(),
        now: at(2000),
        there: Some(true),
        fields: vec![LiveField { path: Path::of("spec.a"), wanted: None, now: None, holds: Holds::Wanted }],
        controller: None,
        written: at(1000),
        standing: Some(Standing {
            progress: Progress::There,
            desired,
            ready,
            ready_since: at(1500),
            newest_pod: at(1400),
        }),
        still: None,
        instead: Vec::new(),
        gaps: Vec::new(),
    }
}

#[track_caller]
fn check(git: Asked<GitFacts>, forge: Asked<ForgeFacts>, cluster: Asked<ClusterFacts>, want: (Phase, End)) -> State {
    let state = judge(&subject(), &Seen { git, forge, cluster }, |tip, _| Some(tip == "new"), 300);
    assert_eq!((state.phase, state.end), want, "{state:#?}");
    state
}

fn not<T>() -> Asked<T> {
    Asked::Not("nobody asked".into())
}

#[test]
fn what_was_not_looked_at_is_named_and_never_well() {
    let state = check(not(), not(), not(), (Phase::Pushed, End::Open));
    assert_eq!(state.unasked.len(), 3);
    let merged = || git(vec![moment("m", Reading::Proposed)]);
    check(merged(), not(), not(), (Phase::Merged, End::Open));
    let blind = ClusterFacts { gaps: vec!["pods: forbidden".into()], ..well() };
    check(merged(), not(), Asked::Seen(blind), (Phase::RolledOut, End::Open));
    let gone = ClusterFacts { there: Some(false), ..well() };
    check(merged(), not(), Asked::Seen(gone), (Phase::Merged, End::Open));
    let timeless = ClusterFacts { now: None, ..well() };
    check(merged(), not(), Asked::Seen(timeless), (Phase::RolledOut, End::Open));
}

#[test]
fn the_cluster_alone_can_tell_that_it_is_healed() {
    check(not(), not(), Asked::Seen(well()), (Phase::Healed, End::Well));
}

#[test]
fn a_failure_counts_when_the_change_was_there_for_long_enough() {
    let merged = || git(vec![moment("m", Reading::Proposed)]);
    let failing = |written| {
        Asked::Seen(ClusterFacts { still: Some("killed".into()), written: at(written), standing: None, ..well() })
    };
    check(merged(), not(), failing(1000), (Phase::Worse, End::Ill));
    check(merged(), not(), failing(1900), (Phase::Synced, End::Open));
    let other = ClusterFacts { instead: vec!["crash-app-error: it ends".into()], ..well() };
    check(merged(), not(), Asked::Seen(other), (Phase::Worse, End::Ill));
    let young = Standing { ready_since: at(1900), ..well().standing.unwrap() };
    let young = ClusterFacts { standing: Some(young), ..well() };
    check(merged(), not(), Asked::Seen(young), (Phase::RolledOut, End::Open));
}

#[test]
fn what_was_seen_before_the_merge_or_lies_in_the_future_is_not_healed() {
    let merged_at = |second| {
        let mut merge = moment("m", Reading::Proposed);
        merge.commit.at = at(second);
        git(vec![merge])
    };
    check(merged_at(2001), not(), Asked::Seen(well()), (Phase::Merged, End::Open));
    check(merged_at(2000), not(), Asked::Seen(well()), (Phase::Healed, End::Well));
    // A controller that has applied the merge has seen it, whatever clocks say.
    let controller =
        Some(Controller { name: "Kustomization a/b".into(), applied: Some("new".into()), suspended: false });
    check(merged_at(2001), not(), Asked::Seen(ClusterFacts { controller, ..well() }), (Phase::Healed, End::Well));
    let ahead = Standing { ready_since: at(2001), ..well().standing.unwrap() };
    let ahead = Asked::Seen(ClusterFacts { standing: Some(ahead), ..well() });
    let seen = Seen { git: merged_at(1000), forge: not(), cluster: ahead };
    assert_eq!(judge(&subject(), &seen, |_, _| None, 0).phase, Phase::RolledOut);
}

#[test]
fn a_commit_without_the_change_merges_nothing_whatever_it_says() {
    for (contains, named) in [(true, false), (false, true)] {
        let empty = Moment { contains, named, ..moment("f", Reading::Before) };
        check(git(vec![empty.clone()]), not(), Asked::Seen(well()), (Phase::Pushed, End::Open));
        let later = git(vec![empty, moment("m", Reading::Proposed)]);
        check(later, not(), not(), (Phase::Merged, End::Open));
    }
}

#[test]
fn values_that_are_not_recorded_are_left_to_the_controller() {
    let merged = || git(vec![moment("m", Reading::Proposed)]);
    let blind = |applied: Option<&str>| {
        let (name, applied) = ("Kustomization flux-system/apps".to_owned(), applied.map(str::to_owned));
        let controller = Some(Controller { name, applied, suspended: false });
        Asked::Seen(ClusterFacts { controller, fields: Vec::new(), ..well() })
    };
    check(merged(), not(), blind(None), (Phase::Merged, End::Open));
    check(merged(), not(), blind(Some("old")), (Phase::Merged, End::Open));
    check(merged(), not(), blind(Some("new")), (Phase::Healed, End::Well));
}

#[test]
fn a_controller_that_has_applied_the_merge_makes_another_live_value_drift() {
    let merged = || git(vec![moment("m", Reading::Proposed)]);
    let live = |applied: &str| {
        let (name, applied) = ("Kustomization flux-system/apps".to_owned(), Some(applied.to_owned()));
        let field = LiveField { holds: Holds::Old, ..well().fields.remove(0) };
        let controller = Some(Controller { name, applied, suspended: false });
        Asked::Seen(ClusterFacts { controller, fields: vec![field], ..well() })
    };
    check(merged(), not(), live("new"), (Phase::Drifted, End::Open));
    check(merged(), not(), live("old"), (Phase::Merged, End::Open));
}

#[test]
fn what_came_after_the_merge_counts() {
    let other = Difference { file: "a".into(), path: Path::of("x"), proposed: None, found: Some(json!(1)) };
    let history = |last: Reading| git(vec![moment("m", Reading::Proposed), moment("l", last)]);
    check(history(Reading::Before), not(), Asked::Seen(well()), (Phase::Reverted, End::Ill));
    check(history(Reading::Other(vec![other])), not(), not(), (Phase::Merged, End::Open));
    let back = git(vec![moment("m", Reading::Proposed), moment("r", Reading::Before), moment("a", Reading::Proposed)]);
    check(back, not(), not(), (Phase::Merged, End::Open));
}

#[test]
fn a_closed_request_is_closed_unless_git_has_the_change() {
    let forge = |standing| {
        let (address, reviews) = ("https://h/1".to_owned(), Vec::new());
        Asked::Seen(ForgeFacts { number: 1, address, standing, draft: false, merged: None, by: None, reviews })
    };
    check(git(Vec::new()), forge(Request::Closed), not(), (Phase::Closed, End::Ill));
    check(git(vec![moment("m", Reading::Proposed)]), forge(Request::Closed), not(), (Phase::Merged, End::Open));
    check(git(Vec::new()), forge(Request::Merged), not(), (Phase::Merged, End::Open));
    check(not(), forge(Request::Open), Asked::Seen(well()), (Phase::Pushed, End::Open));
}

#[test]
fn an_unseen_history_closes_nothing() {
    let Asked::Seen(facts) = git(Vec::new()) else { return };
    let blind = GitFacts { whole: false, branch: None, ..facts };
    check(Asked::Seen(blind.clone()), not(), not(), (Phase::Pushed, End::Open));
    check(Asked::Seen(GitFacts { whole: true, ..blind }), not(), not(), (Phase::Closed, End::Ill));
}

#[test]
fn a_change_is_read_by_value_where_the_rest_of_the_file_moved_on() {
    let text = |memory: &str, more: &str| format!("{more}---\nlimits:\n  memory: {memory}\n").into_bytes();
    let place =
        Place { document: 0, path: Path::of("limits.memory"), before: Some(json!("32Mi")), after: Some(json!("64Mi")) };
    let whole = Whole { before: Some(text("32Mi", "")), after: Some(text("64Mi", "")) };
    for whole in [Some(whole), None] {
        let changed = vec![Changed { file: "a.yaml".into(), whole, places: vec![place.clone()] }];
        let seen = |memory: &str, more: &str| read(&changed, |_| FileAt::Here(text(memory, more)));
        assert_eq!(seen("64Mi", ""), Reading::Proposed);
        assert_eq!(seen("64Mi", "other: 1\n"), Reading::Proposed, "a document was put in front");
        assert_eq!(seen("32Mi", "other: 1\n"), Reading::Before);
        let Reading::Other(found) = seen("1Gi", "other: 1\n") else { panic!() };
        assert_eq!(found[0].found, Some(json!("1Gi")));
        assert_eq!(read(&changed, |_| FileAt::Unread), Reading::Unknown);
    }
}

#[test]
fn a_phase_is_told_once_and_again_after_a_setback() {
    let mut subject = subject();
    let state = |phase: Phase, reached: &[Phase]| State {
        phase,
        end: End::Open,
        lines: Vec::new(),
        unasked: Vec::new(),
        reached: reached.iter().map(|phase| (*phase, json!({}))).collect(),
    };
    let road = [Phase::Merged, Phase::Synced, Phase::Healed];
    let told = |subject: &Subject, state: &State| -> Vec<Phase> {
        news(subject, state).into_iter().map(|(phase, _)| phase).collect()
    };
    let tell = |subject: &mut Subject, phases: &[Phase]| {
        subject.told.extend(phases.iter().map(|phase| (*phase, json!({}), None)));
    };
    assert_eq!(told(&subject, &state(Phase::Healed, &road)), road);
    tell(&mut subject, &road);
    assert_eq!(told(&subject, &state(Phase::Healed, &road)), []);
    assert_eq!(told(&subject, &state(Phase::Synced, &road[..2])), [], "a pod that starts anew is no news");
    let drifted = state(Phase::Drifted, &[Phase::Merged, Phase::Synced, Phase::Drifted]);
    assert_eq!(told(&subject, &drifted), [Phase::Drifted]);
    tell(&mut subject, &[Phase::Drifted]);
    assert_eq!(told(&subject, &drifted), []);
    assert_eq!(told(&subject, &state(Phase::Synced, &road[..2])), [Phase::Synced], "it is back, and not yet well");
    tell(&mut subject, &[Phase::Synced]);
    assert_eq!(told(&subject, &state(Phase::Healed, &road)), [Phase::Healed]);
    tell(&mut subject, &[Phase::Healed]);
    assert_eq!(told(&subject, &state(Phase::Healed, &road)), []);
}
