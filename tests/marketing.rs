//! What some countries ask of advertising by SMS, end to end: the policy's switch, by channel, and what the verdict says.

use tamis_guest::compile::{Level, PolicySource};
use tamis_guest::{Action, Message};
use tamis_host::Parts;
use tamis_tests::{Engines, shipped_parts, workspace};

const SALE: &str =
    "MEGA SALE: up to 80% off all sofas this weekend only, free delivery! Order now at www.furnilandshop.com";
const ZH_SALE: &str = "双十一大促，全场商品5折起，满300减100，仅限今天，点击 tb88.cn 抢购";

/// The shipped parts, the model milder, with these lines in the table of the channel.
fn engines(rules: &str) -> Engines {
    let path = workspace().join("wordlists/policy.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}"));
    let text = text.replacen("[channels.sms]\n", &format!("[channels.sms]\n{rules}"), 1);
    let text = text.replace("either = { flag = 850, hold = 900 }", "either = { flag = 500 }");
    let (policy, diagnostics) = PolicySource::parse("policy.toml", &text);
    assert!(diagnostics.iter().all(|found| found.level != Level::Error), "{diagnostics:?}");
    let parts = shipped_parts();
    let pack = parts.pack.pack();
    let categories: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
    let policy = policy.expect("a policy").resolve(&categories);
    Engines::new(Parts { policy, ..parts })
}

fn judged(engines: &mut Engines, channel: &str, text: &str) -> (Action, Vec<&'static str>) {
    let channel = engines.parts().policy.channel(channel);
    let verdicts = engines.judge(&[Message { channel, ..Message::body(text) }]);
    let verdict = verdicts.unwrap_or_else(|error| panic!("{error}")).remove(0);
    (verdict.action, verdict.flags.names().collect())
}

#[test]
fn advertising_without_sender_or_way_out_gets_what_the_channel_says() {
    let mut without = engines("");
    let mut engines = engines("no_signature = \"hold\"\nno_opt_out = \"block\"\n");
    let both = ["no_signature", "no_opt_out"];
    for (text, signed, can_leave) in [
        (SALE.to_owned(), false, false),
        (format!("[FurniLand] {SALE}"), true, false),
        (format!("{SALE} Txt STOP to end"), false, true),
        (format!("[FurniLand] {SALE} Txt STOP to end"), true, true),
        (ZH_SALE.to_owned(), false, false),
        (format!("【家居城】{ZH_SALE}"), true, false),
        (format!("【家居城】{ZH_SALE}，拒收请回复R"), true, true),
    ] {
        let (action, flags) = judged(&mut engines, "sms", &text);
        let wanted: Vec<&str> =
            both.iter().zip([signed, can_leave]).filter(|(_, has)| !has).map(|(&flag, _)| flag).collect();
        assert_eq!(flags, wanted, "{text}");
        let expected = if !can_leave {
            Action::Block
        } else if !signed {
            Action::Hold
        } else {
            Action::Flag
        };
        assert!(action >= expected && (action == expected || signed), "{text}: {action:?}, expected {expected:?}");
        // Another channel, and a policy that does not ask.
        assert!(judged(&mut engines, "chat", &text).1.is_empty());
        assert!(judged(&mut without, "sms", &text).1.is_empty());
    }
}

#[test]
fn a_list_makes_advertising_too() {
    let mut engines = engines("no_opt_out = \"block\"\n");
    // A term of `spam.ads` in a message that the model finds harmless.
    let text = "our mega sale starts from monday, see you at the shop";
    let channel = engines.parts().policy.channel("sms");
    let verdicts = engines.judge(&[Message { channel, ..Message::body(text) }]);
    let verdict = verdicts.unwrap_or_else(|error| panic!("{error}")).remove(0);
    assert!(!verdict.matches.is_empty() && verdict.confidence.unwanted() < 500, "{verdict:?}");
    assert_eq!(verdict.action, Action::Block);
    let with_way_out = format!("{text}. Txt STOP to end");
    assert!(judged(&mut engines, "sms", &with_way_out).0 < Action::Block);
}

#[test]
fn what_is_no_advertising_is_asked_for_nothing() {
    let mut engines = engines("no_signature = \"block\"\nno_opt_out = \"block\"\n");
    for text in [
        "are you coming to the sale on saturday?",
        "URGENT! You have won a 2000 pound prize, call 09061701461 now to claim",
        "妈，周末回家吃饭，给你买了打折的牛奶",
        "",
    ] {
        let (action, flags) = judged(&mut engines, "sms", text);
        assert!(flags.is_empty() && action < Action::Block, "{text}: {action:?} {flags:?}");
    }
}
