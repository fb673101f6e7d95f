//! Floors of a policy: the mildest action there may be, which a layer above can raise and never lower.

use tamis_guest::compile::PolicySource;
use tamis_guest::{Action, ChannelId, Field, Policy, Severity};

const CATEGORIES: [&str; 3] = ["child_safety", "fraud.scam", "spam.ads"];

fn policy(floors: &str) -> PolicySource {
    let text = format!(
        "format = 1\ndefault_channel = \"sms\"\n[channels.sms]\ns1 = \"allow\"\ns2 = \"flag\"\ns3 = \"flag\"\ns4 = \"block\"\n\
         on_failure = \"hold\"\n[channels.chat]\ns1 = \"allow\"\ns2 = \"allow\"\ns3 = \"allow\"\ns4 = \"allow\"\non_failure = \"open\"\n{floors}"
    );
    let (policy, diagnostics) = PolicySource::parse("policy.toml", &text);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    policy.expect("a policy without findings is usable")
}

/// The actions of the severities 1 to 4.
fn row(policy: &Policy, channel: &str, field: Field, category: &str) -> [Action; 4] {
    let category = CATEGORIES.iter().position(|known| *known == category).expect("a known category");
    let channel: ChannelId = policy.channel(channel);
    [Severity::Mild, Severity::Moderate, Severity::Strong, Severity::Severe]
        .map(|severity| policy.action_for(channel, field, category, severity))
}

#[test]
fn a_floor_raises_what_is_milder_and_nothing_else() {
    use Action::{Allow, Block, Flag, Hold};
    let policy =
        policy("[[floor]]\ncategory = \"fraud\"\nmin_severity = 3\nmin_action = \"hold\"\n").resolve(&CATEGORIES);
    assert_eq!(row(&policy, "sms", Field::Body, "fraud.scam"), [Allow, Flag, Hold, Block]);
    assert_eq!(row(&policy, "chat", Field::Name, "fraud.scam"), [Allow, Allow, Hold, Hold]);
    assert_eq!(row(&policy, "sms", Field::Body, "spam.ads"), [Allow, Flag, Flag, Block]);
}

#[test]
fn of_several_floors_the_strictest_holds_whichever_layer_it_is_of() {
    use Action::{Allow, Block, Flag, Hold};
    let platform = policy(
        "[[floor]]\ncategory = \"fraud\"\nmin_action = \"hold\"\n[[floor]]\nfield = \"name\"\nmin_action = \"flag\"\n",
    );
    // The tenant allows what the platform holds, and is stricter elsewhere.
    let tenant = policy(
        "[[override]]\ncategory = \"fraud.scam\"\nchannel = \"sms\"\naction = \"allow\"\n\
         [[floor]]\ncategory = \"fraud\"\nchannel = \"chat\"\nmin_severity = 4\nmin_action = \"flag\"\n\
         [[floor]]\ncategory = \"child_safety\"\nmin_action = \"block\"\n",
    );
    let policy = tenant.above(&platform).resolve(&CATEGORIES);
    assert_eq!(row(&policy, "sms", Field::Body, "fraud.scam"), [Hold; 4]);
    assert_eq!(row(&policy, "chat", Field::Body, "fraud.scam"), [Hold; 4]);
    assert_eq!(row(&policy, "chat", Field::Body, "child_safety"), [Block; 4]);
    assert_eq!(row(&policy, "chat", Field::Name, "spam.ads"), [Flag; 4]);
    assert_eq!(row(&policy, "sms", Field::Body, "spam.ads"), [Allow, Flag, Flag, Block]);
}
