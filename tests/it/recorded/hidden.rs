//! The codes that a missing list is said to hide.

use aifix::cluster::hidden_codes;
use aifix::diagnose::codes;

#[test]
fn every_code_that_a_gap_names_can_be_looked_up() {
    let hidden = hidden_codes();
    let unknown: Vec<&&str> = hidden.iter().filter(|code| !codes().iter().any(|row| row.name == **code)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    for code in ["secret-missing", "pdb-multiple", "rolebinding-role-missing"] {
        assert!(hidden.contains(&code), "first, asked for and on demand: {code}");
    }
}
