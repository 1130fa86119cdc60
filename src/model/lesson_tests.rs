//! What a lesson may do to candidates, and what not.

use super::*;
use crate::model::intent::{Author, Disposition, FieldEdit};
use crate::model::object::ObjectRef;
use proptest::prelude::*;
use serde_json::json;

const FIELDS: [&str; 3] =
    ["spec.template.spec.containers[app].resources.limits.memory", "spec.replicas", "spec.progressDeadlineSeconds"];

fn intent(field: usize, new: i64, disposition: Disposition) -> Intent {
    Intent {
        object: ObjectRef::new("apps/v1", "Deployment", "shop", "web"),
        edits: vec![FieldEdit {
            path: Path::of(FIELDS[field]),
            op: Op::Set,
            old: Some(json!(5)),
            new: Some(json!(new)),
        }],
        subject: format!("Set {field} to {new}"),
        why: String::new(),
        evidence: Vec::new(),
        author: Author::Rule,
        disposition,
        review: Vec::new(),
    }
}

fn lesson(intent: &Intent, outcome: Outcome) -> Lesson {
    Lesson {
        code: "oom-killed".into(),
        shape: Shape::of_intent(intent),
        values: values(edited(intent)),
        outcome,
        record: "00112233aa".into(),
        note: None,
    }
}

const OUTCOMES: [Outcome; 8] = [
    Outcome::Accepted,
    Outcome::Healed,
    Outcome::Merged,
    Outcome::Changed,
    Outcome::Closed,
    Outcome::Worse,
    Outcome::Reverted,
    Outcome::Rejected,
];

fn intents() -> impl Strategy<Value = Vec<Intent>> {
    let one = (0..3_usize, 1..9_i64, any::<bool>())
        .prop_map(|(field, new, safe)| intent(field, new, if safe { Disposition::Safe } else { Disposition::Review }));
    proptest::collection::vec(one, 0..6)
}

fn history() -> impl Strategy<Value = Lessons> {
    let one = (0..3_usize, 1..9_i64, 0..OUTCOMES.len(), any::<bool>()).prop_map(|(field, new, outcome, ours)| {
        let mut lesson = lesson(&intent(field, new, Disposition::Safe), OUTCOMES[outcome]);
        if !ours {
            lesson.code = "crash-app-error".into();
        }
        lesson
    });
    proptest::collection::vec(one, 0..8).prop_map(|all| Lessons { all })
}

proptest! {
    #[test]
    fn lessons_order_candidates_and_change_none(intents in intents(), lessons in history()) {
        let ordered = lessons.order("oom-killed", intents.clone());
        let mut left = intents.clone();
        for intent in &ordered {
            let at = left.iter().position(|other| other == intent);
            prop_assert!(at.is_some(), "an intent was changed");
            left.remove(at.unwrap());
        }
        prop_assert!(left.is_empty());
        prop_assert_eq!(&ordered, &lessons.order("oom-killed", ordered.clone()), "once is enough");
        prop_assert_eq!(&intents, &Lessons::default().order("oom-killed", intents.clone()), "nothing known");
    }

    #[test]
    fn equal_histories_give_equal_orders_whatever_their_order(intents in intents(), lessons in history()) {
        let mut other = lessons.clone();
        other.all.reverse();
        prop_assert_eq!(lessons.order("oom-killed", intents.clone()), other.order("oom-killed", intents));
    }

    #[test]
    fn after_a_rejection_of_the_first_another_shape_comes_first(a in 0..3_usize, b in 0..3_usize) {
        prop_assume!(a != b);
        let both = vec![intent(a, 7, Disposition::Safe), intent(b, 7, Disposition::Review)];
        let lessons = Lessons { all: vec![lesson(&both[0], Outcome::Rejected)] };
        let ordered = lessons.order("oom-killed", both.clone());
        prop_assert_eq!(&ordered[0], &both[1]);
        prop_assert_eq!(&lessons.order("other-code", both.clone()), &both);
    }
}

#[test]
fn of_one_shape_the_rejected_value_comes_last() {
    let both = vec![intent(0, 7, Disposition::Safe), intent(0, 9, Disposition::Safe)];
    let lessons = Lessons { all: vec![lesson(&both[0], Outcome::Rejected)] };
    assert_eq!(lessons.order("oom-killed", both.clone())[0], both[1]);
    let fewer = intent(0, 2, Disposition::Safe);
    assert_eq!(lessons.weight("oom-killed", &fewer), (0, 0), "another direction is another shape");
}

#[test]
fn the_reason_names_outcomes_records_and_a_persons_words() {
    let own = intent(0, 7, Disposition::Safe);
    let mut all = vec![lesson(&own, Outcome::Healed), lesson(&own, Outcome::Rejected), lesson(&own, Outcome::Healed)];
    all[1].note = Some("too small".into());
    let lessons = Lessons { all };
    assert_eq!(
        lessons.reason("oom-killed", &own).unwrap(),
        "fixes of this shape before: healed 2 times (00112233), rejected (00112233: too small)"
    );
    assert_eq!(
        Shape::of_intent(&own).to_string(),
        "Deployment: set spec.template.spec.containers[*].resources.limits.memory up"
    );
}
