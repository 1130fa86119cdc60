//! Which lines of policies their tests reach.

use crate::harness::Sandbox;

const POLICY: &str = "\
package team.small

deny contains \"no host\" if {
	input.changes == []
	input.mode == \"never\"
	input.author == \"nobody\"
}

warn contains \"odd\" if {
	input.mode == \"odd\"
}
";

const TEST: &str = "\
package team.small_test

import data.team.small

test_nothing_is_denied if {
	count(small.deny) == 0 with input as {\"changes\": []}
}
";

#[test]
fn every_line_of_our_own_policies_is_reached_by_a_test() {
    let out = Sandbox::new().aifix(&["policy", "test", "--coverage"]).exits(0).out;
    assert!(out.ends_with("100 % of the policies' lines are reached\n"), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");
}

#[test]
fn lines_that_no_test_reaches_are_named_and_fail() {
    let sandbox = Sandbox::new();
    sandbox.write("team/small.rego", POLICY);
    sandbox.write("team/small_test.rego", TEST);
    sandbox.write("team/alone.rego", "package team.alone\n\ndeny contains \"x\" if input.mode == \"odd\"\n");
    sandbox.aifix(&["policy", "test", "team"]).exits(0);
    let ran = sandbox.aifix(&["policy", "test", "team", "--coverage"]).exits(5);
    insta::assert_snapshot!(ran.out, @r"
    1 passed, 0 failed
    team/alone.rego  no test reaches it
    team/small.rego  no test reaches lines 3, 6, 9
    42 % of the policies' lines are reached
    ");
    sandbox.aifix(&["policy", "test", "team", "--coverage=20"]).exits(0);
    sandbox.aifix(&["policy", "test", "team", "--coverage=101"]).exits(2);
}
