//! The kit: what is written is read, and nothing else is.

use tamis_guest::{Action, ChannelId, Field, Kit, KitError, Message, Pack, PackBytes, Scanner, Verdict, kit_bytes};
use tamis_tests::{pack_of, shipped_parts};

#[test]
fn a_kit_holds_what_was_put_in() {
    let parts = shipped_parts();
    let bytes = kit_bytes(parts.pack.bytes(), &parts.policy, "{}").expect("a small kit");
    let kit = Kit::decode(&bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(kit.texts, "{}");
    let pack = PackBytes::from(kit.pack);
    let pack = Pack::decode(&pack).unwrap_or_else(|error| panic!("{error}"));
    let policy = kit.policy(&pack).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(policy, parts.policy);
    assert_eq!(policy.channel("chat"), parts.policy.channel("chat"));
    assert_ne!(policy.channel("chat"), ChannelId::default());

    let mut verdict = Verdict::default();
    let message = Message { field: Field::Name, ..Message::body("dinner at eight?") };
    Scanner::new(&pack).scan(&policy, &message, &mut verdict);
    assert_eq!(verdict.action, Action::Allow);
}

#[test]
fn every_damaged_byte_is_noticed() {
    let pack = PackBytes::from(pack_of("zorbleflux"));
    let pack = Pack::decode(&pack).unwrap_or_else(|error| panic!("{error}"));
    let bytes = kit_bytes(pack.bytes(), &tamis_guest::Policy::blocking(&pack), "{\"a\":1}").expect("a small kit");
    assert!(Kit::decode(&bytes).is_ok());
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(Kit::decode(&damaged).is_err(), "byte {at}");
        assert!(Kit::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(Kit::decode(b"tamispak"), Err(KitError::NotAKit));
    let longer = [&bytes[..], b"\0"].concat();
    assert!(matches!(Kit::decode(&longer), Err(KitError::Length { .. })));
}

#[test]
fn a_policy_of_another_pack_is_refused() {
    let parts = shipped_parts();
    let small = PackBytes::from(pack_of("zorbleflux"));
    let small = Pack::decode(&small).unwrap_or_else(|error| panic!("{error}"));
    let bytes = kit_bytes(small.bytes(), &parts.policy, "").expect("a small kit");
    let kit = Kit::decode(&bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(kit.policy(&small), Err(KitError::Corrupt("policy")));
}
