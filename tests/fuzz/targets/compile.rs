//! Any text as a list in TOML, as a plain file of terms, as one line of terms, as a taxonomy, a policy: what is
//! good is a pack that scans, and everything else is a diagnostic with a place and a help. Input: a byte
//! for what the rest is read as, and the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tamis_fuzz::{good_pack, scan, variants};
use tamis_guest::PackBytes;
use tamis_guest::compile::{
    Date, Diagnostic, ListSource, PolicySource, Taxonomy, compile, compile_terms, compile_terms_as, decode_text,
};

fuzz_target!(|input: &[u8]| {
    let Some((&selector, rest)) = input.split_first() else { return };
    let (text, _) = decode_text("list.toml", rest);
    let (bytes, diagnostics) = match selector % 6 {
        0 | 1 => compile(&[ListSource { path: "list.toml", text: &text }], &Taxonomy::custom(), today()),
        2 => compile_terms("terms.txt", &text),
        3 => compile_terms_as("terms.txt", &text.replace(['\r', '\n'], " "), variants(selector / 6)),
        4 => {
            let (taxonomy, mut diagnostics) = Taxonomy::parse("taxonomy.toml", &text);
            let (bytes, of_list) = compile(&[ListSource { path: "list.toml", text: &text }], &taxonomy, today());
            diagnostics.extend(of_list);
            (bytes, diagnostics)
        }
        _ => {
            let (policy, diagnostics) = PolicySource::parse("policy.toml", &text);
            if let Some(policy) = policy {
                let resolved = policy.resolve(&["custom", "fraud.scam"]);
                assert!(resolved.channels().len() <= 256);
            }
            check(&diagnostics);
            return;
        }
    };
    check(&diagnostics);
    let bytes = PackBytes::from(bytes);
    scan(&good_pack(&bytes), rest);
});

fn check(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        assert!(diagnostic.line >= 1 && diagnostic.column >= 1, "{diagnostic:?}");
        assert!(!diagnostic.help.is_empty() && diagnostic.to_string().contains(diagnostic.code), "{diagnostic:?}");
    }
}

/// A day on which lists are in force, the same in every run.
fn today() -> Date {
    Date::from_unix_seconds(1_800_000_000)
}
