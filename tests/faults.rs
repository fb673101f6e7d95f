//! The faults that a hostile or broken guest can cause, and the tests that show what comes of each. The list
//! is that of the field; a fault without a test is a fault nobody has tried.

use std::fs;

use tamis_tests::workspace;

/// Number and fault, and the tests, as `file::test`; a file that is not beside this one with its folder.
const FAULTS: [(u32, &str, &[&str]); 26] = [
    (
        1,
        "loop without end, in the start function too",
        &["hostile::loop_in_the_start_function", "hostile::loop_on_one_message"],
    ),
    (2, "long bulk operation", &["hostile::bulk_operation_that_takes_long"]),
    (3, "blocking call to the host", &["hostile::import_of_more_than_memory"]),
    (4, "memory bomb", &["hostile::memory_that_grows_without_end", "hostile::memory_that_is_huge_from_the_start"]),
    (5, "slow leak", &["hostile::memory_that_leaks_slowly"]),
    (6, "table that grows", &["hostile::table_that_grows_without_end"]),
    (7, "stack overflow", &["hostile::recursion_without_end"]),
    (
        8,
        "lying pointers and lengths",
        &[
            "hostile::area_beyond_memory",
            "hostile::more_bytes_of_verdicts_than_there_are",
            "hostile::span_beyond_the_text",
        ],
    ),
    (9, "pack damaged by the guest itself", &["hostile::pack_that_a_guest_overwrites"]),
    (
        10,
        "trap in the middle of a batch",
        &[
            "hostile::trap_on_one_message",
            "hostile::trap_that_does_not_come_again",
            "log::a_message_that_breaks_the_filter_twice_is_in_quarantine",
        ],
    ),
    (
        11,
        "trap on every message",
        &[
            "hostile::traps_on_every_message",
            "trial::breakers_trip_on_failures_on_more_blocks_and_on_slowness_only",
            "bundle::a_module_that_traps_on_messages_goes_back_by_itself",
        ],
    ),
    (
        12,
        "compile bomb",
        &[
            "host/cli/tests/bundles::a_module_that_takes_for_ever_to_compile_is_killed",
            "hostile::function_that_takes_long_to_compile",
            "hostile::larger_than_the_limit",
        ],
    ),
    (13, "machine code from outside", &["hostile::machine_code"]),
    (14, "compiled module changed on disk", &["hostile::compiled_module_that_was_changed_on_disk"]),
    (
        15,
        "unexpected imports, other boundary version",
        &["hostile::other_version_of_the_boundary", "hostile::import_of_more_than_memory"],
    ),
    (16, "one message seen by the next", &["hostile::message_of_another_batch"]),
    (17, "modules of several engines mixed", &["hostile::module_of_another_engine"]),
    (18, "access outside the sandbox", &["hostile::no_way_out_of_the_memory", "hostile::access_beyond_memory"]),
    (19, "clocks and other side channels", &["hostile::nothing_to_tell_the_time_or_others_by"]),
    (
        20,
        "flood of records and metrics",
        &[
            "log::a_full_queue_loses_records_and_says_so_but_holds_up_nobody",
            "trial::metrics_are_text_that_prometheus_reads",
        ],
    ),
    (
        21,
        "text crafted to be slow",
        &[
            "hostile::texts_made_to_be_slow",
            "adversarial::work_is_linear_whatever_the_text",
            "limits::ten_megabytes_are_judged_up_to_the_limit",
        ],
    ),
    (22, "verdicts that differ by machine", &["hostile::the_same_bits_on_every_machine"]),
    (
        23,
        "stale or rolled back update",
        &["bundle::attack_03_older_sequence_replayed", "bundle::attack_09_clock_ten_years_off"],
    ),
    (24, "panic in the embedder's own code", &["bundle::callback_that_panics"]),
    (25, "swap that is felt", &["swap::every_message_has_one_verdict_of_the_generation_it_names"]),
    (26, "shared pack made private page by page", &["hostile::pack_that_a_guest_overwrites"]),
];

#[test]
fn every_fault_has_its_test() {
    for (at, (number, fault, tests)) in FAULTS.into_iter().enumerate() {
        assert_eq!(number as usize, at + 1);
        assert!(!tests.is_empty(), "{fault}");
        for test in tests {
            let (file, name) = test.split_once("::").expect("file::test");
            let folder = if file.contains('/') { "" } else { "tests" };
            let path = workspace().join(folder).join(format!("{file}.rs"));
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(
                text.contains(&format!("#[test]\nfn {name}()")),
                "fault {number}, {fault}: there is no test {test}"
            );
        }
    }
}
