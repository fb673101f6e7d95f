//! The life of a term, from the shadow to its end, and the fields it is looked for in: by every engine.

use tamis_guest::compile::{Date, Level, ListSource, Taxonomy, compile};
use tamis_guest::{Action, Field, Message, Verdict};
use tamis_tests::{Engines, blocking_parts};

/// A day on which the tests take place.
const TODAY: &str = "2026-06-15";

fn engines(groups: &str) -> Engines {
    let text = format!("format = 1\nlist = {{ id = \"custom\" }}\ndefaults = {{ category = \"custom\" }}\n{groups}");
    let today = Date::parse(TODAY).expect("a day");
    let (pack, diagnostics) = compile(&[ListSource { path: "list.toml", text: &text }], &Taxonomy::custom(), today);
    let errors: Vec<String> =
        diagnostics.iter().filter(|one| one.level == Level::Error).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    Engines::new(blocking_parts(pack))
}

fn judge(engines: &mut Engines, message: Message<'_>) -> Verdict {
    engines.judge(&[message]).unwrap_or_else(|difference| panic!("{difference}")).remove(0)
}

#[test]
fn a_term_in_the_shadow_is_reported_and_never_acts() {
    let mut engines =
        engines("[[group]]\nstatus = \"shadow\"\nterms = 'zorkblat&frumious'\n[[group]]\nterms = 'wibble'\n");
    let verdict = judge(&mut engines, Message::body("zorkblat frumious"));
    assert_eq!((verdict.action, verdict.matches.len(), verdict.shadow.len()), (Action::Allow, 0, 2));
    let verdict = judge(&mut engines, Message::body("zorkblat frumious wibble"));
    assert_eq!((verdict.action, verdict.matches.len(), verdict.shadow.len()), (Action::Block, 1, 2));
}

#[test]
fn matches_that_act_go_before_those_in_the_shadow() {
    let mut engines = engines("[[group]]\nstatus = \"shadow\"\nterms = 'zorkblat'\n[[group]]\nterms = 'wibble'\n");
    let text = "zorkblat ".repeat(100) + &"wibble ".repeat(60);
    let verdict = judge(&mut engines, Message::body(&text));
    assert_eq!((verdict.matches.len(), verdict.shadow.len()), (60, 4));
    assert_eq!(verdict.flags.names().collect::<Vec<_>>(), ["matches_capped"]);
}

#[test]
fn a_canary_acts_for_its_share_of_senders_and_for_each_always_alike() {
    let mut engines = engines("[[group]]\nstatus = \"canary\"\ncanary = 20\nterms = 'zorkblat'\n");
    let mut acted = 0;
    for sender in 0..1000 {
        let sender = format!("+4912345{sender}");
        let message = |text| Message { text, sender: sender.as_bytes(), ..Message::default() };
        let one = judge(&mut engines, message(b"zorkblat"));
        let other = judge(&mut engines, message(b"well, zorkblat"));
        assert_eq!(one.action, other.action, "{sender}");
        assert_eq!(one.matches.len() + one.shadow.len(), 1);
        acted += u32::from(one.action == Action::Block);
    }
    // Binomial: 200 expected, standard deviation 13.
    assert!((150..250).contains(&acted), "{acted} of 1000 senders");
    // Who is unknown cannot be told from others, and is in no trial.
    assert_eq!(judge(&mut engines, Message::body("zorkblat")).action, Action::Allow);
}

#[test]
fn terms_that_are_over_are_not_searched() {
    for (life, is_searched) in [
        ("", true),
        ("enabled = true", true),
        ("enabled = false", false),
        ("status = \"retired\"", false),
        ("expires = 2026-06-16", true),
        ("expires = 2026-06-15", false),
        ("expires = 2020-01-01", false),
    ] {
        let mut engines = engines(&format!("[[group]]\n{life}\nterms = 'zorkblat'\n[[group]]\nterms = 'wibble'\n"));
        let verdict = judge(&mut engines, Message::body("zorkblat"));
        assert_eq!(verdict.action == Action::Block, is_searched, "{life}");
        assert!(verdict.shadow.is_empty(), "{life}");
    }
}

#[test]
fn a_term_is_looked_for_in_its_fields_alone() {
    let mut engines = engines("[[group]]\nfields = [\"name\", \"upload\"]\nterms = 'zorkblat'\n");
    for (field, action) in [(Field::Body, Action::Allow), (Field::Name, Action::Block), (Field::Upload, Action::Block)]
    {
        let verdict = judge(&mut engines, Message { text: b"zorkblat", field, ..Message::default() });
        assert_eq!(verdict.action, action, "{}", field.name());
        assert!(verdict.shadow.is_empty());
    }
}

#[test]
fn a_term_without_variants_is_found_as_it_is_written() {
    let mut engines = engines("[[group]]\nvariants = \"none\"\nterms = 'zorkblat'\n[[group]]\nterms = 'wibble'\n");
    for (text, action) in [
        ("zorkblat", Action::Block),
        ("ZorkBlat", Action::Block),
        ("z.o.r.k.b.l.a.t", Action::Allow),
        ("zörkblat", Action::Allow),
        ("w.i.b.b.l.e", Action::Block),
    ] {
        assert_eq!(judge(&mut engines, Message::body(text)).action, action, "{text}");
    }
}

/// Names that pose as the operator: a brand is a term like any other, looked for in names alone.
#[test]
fn a_brand_in_a_name_is_found_in_its_look_alikes_and_not_in_messages() {
    let mut engines =
        engines("[[group]]\nfields = [\"name\"]\nallow = [\"zorkblat fan club\"]\nterms = '''\nzorkblat\n'''\n");
    let mut judged =
        |text: &str, field| judge(&mut engines, Message { text: text.as_bytes(), field, ..Message::default() }).action;
    for name in ["zorkblat", "Z0rkblat Support", "zоrkblаt", "ＺＯＲＫＢＬＡＴ", "z.o.r.k.b.l.a.t", "zorkblаt official"]
    {
        assert_eq!(judged(name, Field::Name), Action::Block, "{name}");
    }
    for name in ["zork", "zorkblats", "zorkblat fan club", "ann"] {
        assert_eq!(judged(name, Field::Name), Action::Allow, "{name}");
    }
    assert_eq!(judged("I like zorkblat", Field::Body), Action::Allow);
}
