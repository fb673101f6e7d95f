//! The faults that a hostile or broken guest can cause, and the attacks on bundles: each has one test that is named
//! after it, which the other tests beside go further than. The lists are those of the field; a fault without a test is
//! a fault nobody has tried.

use std::fs;

use tamis_tests::workspace;

/// The faults in their order, and the file of the test `fault_NN_...`.
const FAULTS: [(&str, &str); 26] = [
    ("loop without end, in the start function too", "tests/hostile.rs"),
    ("long bulk operation", "tests/hostile.rs"),
    ("blocking call to the host", "tests/hostile.rs"),
    ("memory bomb", "tests/hostile.rs"),
    ("slow leak", "tests/hostile.rs"),
    ("table that grows", "tests/hostile.rs"),
    ("stack overflow", "tests/hostile.rs"),
    ("lying pointers and lengths", "tests/hostile.rs"),
    ("pack damaged by the guest itself", "tests/hostile.rs"),
    ("trap in the middle of a batch", "tests/hostile.rs"),
    ("trap on every message", "tests/bundle.rs"),
    ("compile bomb", "host/cli/tests/bundles.rs"),
    ("machine code from outside", "tests/hostile.rs"),
    ("compiled module changed on disk", "tests/hostile.rs"),
    ("unexpected imports, other boundary version", "tests/hostile.rs"),
    ("one message seen by the next", "tests/hostile.rs"),
    ("modules of several engines mixed", "tests/hostile.rs"),
    ("access outside the sandbox", "tests/hostile.rs"),
    ("clocks and other side channels", "tests/hostile.rs"),
    ("flood of records and metrics", "tests/log.rs"),
    ("text crafted to be slow", "tests/hostile.rs"),
    ("verdicts that differ by machine", "tests/hostile.rs"),
    ("stale or rolled back update, parts that were not signed together", "tests/bundle.rs"),
    ("panic in the embedder's own code", "tests/bundle.rs"),
    ("swap that is felt", "tests/swap.rs"),
    ("shared pack made private page by page", "tests/swap.rs"),
];
/// How many attacks on bundles there are, all in one file.
const ATTACKS: usize = 13;

/// How many tests of a file have a name that begins so.
fn tests(file: &str, start: &str) -> usize {
    let path = workspace().join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.matches(&format!("#[test]\nfn {start}")).count()
}

#[test]
fn every_fault_and_every_attack_has_one_test() {
    for (number, (fault, file)) in (1..).zip(FAULTS) {
        assert_eq!(tests(file, &format!("fault_{number:02}_")), 1, "fault {number}, {fault}, in {file}");
    }
    for number in 1..=ATTACKS {
        assert_eq!(tests("tests/bundle.rs", &format!("attack_{number:02}_")), 1, "attack {number}");
    }
}
