//! Floods by the product's own way: a policy that says what makes one, workers, the action that follows, and
//! metrics. And how much of real campaigns is seen. What counts as what by which clock is tested beside the code.

use std::time::Duration;

use tamis_guest::compile::PolicySource;
use tamis_guest::{Action, FloodPolicy, Message};
use tamis_host::{Delivery, Filter, FloodReason, FloodWatch, Metrics, Parts};
use tamis_tests::{Random, list_parts, runtime, sms};

fn policy(flood: &str) -> (Option<PolicySource>, Vec<String>) {
    let text = format!(
        "format = 1\ndefault_channel = \"sms\"\n[channels.sms]\ns1 = \"allow\"\ns2 = \"flag\"\ns3 = \"hold\"\ns4 = \"block\"\n\
         on_failure = \"hold\"\n[channels.chat]\ns1 = \"allow\"\ns2 = \"mask\"\ns3 = \"hold\"\ns4 = \"block\"\non_failure = \"hold\"\n{flood}"
    );
    let (policy, diagnostics) = PolicySource::parse("policy.toml", &text);
    (policy, diagnostics.iter().map(ToString::to_string).collect())
}

fn parts(flood: &str) -> Parts {
    let parts = list_parts("spam.flood", 2, &["zorkblat".to_owned()]);
    let pack = parts.pack.pack();
    let categories: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
    let (policy, diagnostics) = policy(flood);
    let policy = policy.unwrap_or_else(|| panic!("{diagnostics:?}"));
    Parts { policy: policy.resolve(&categories), ..parts }
}

#[test]
fn the_policy_switches_floods_on_and_says_what_follows() {
    let filter = Filter::new(runtime(), parts("")).expect("good parts");
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Vec::new();
    let messages = vec![Message { sender: b"+447700900123", ..Message::body("hello") }; 40];
    worker.scan(&messages, &mut judged);
    assert!(judged.iter().all(|judged| judged.verdict.action == Action::Allow && !judged.flood.is_flood()));
    assert!(filter.flood_watch().is_none());

    filter.swap(parts("[flood]\nsender_recipients_max = 35\n")).expect("good parts");
    let recipients: Vec<String> = (0..45).map(|number| number.to_string()).collect();
    let messages: Vec<Message<'_>> =
        recipients.iter().map(|name| Message { sender: b"+447700900123", ..Message::body(name) }).collect();
    let deliveries: Vec<Delivery<'_>> =
        recipients.iter().map(|name| Delivery { recipient: name.as_bytes(), at: Some(Duration::ZERO) }).collect();
    worker.follow();
    worker.scan_pinned_to(&messages, &deliveries, &mut judged);
    let actions: Vec<Action> = judged.iter().map(|judged| judged.verdict.action).collect();
    assert!(actions[..30].iter().all(|&action| action == Action::Allow));
    assert_eq!((actions[30], actions[44]), (Action::Flag, Action::Hold));
    let reasons: Vec<FloodReason> = judged[44].flood.reasons().collect();
    assert_eq!(reasons, [FloodReason::SenderMessages, FloodReason::SenderRecipients]);

    // A swap that leaves the limits goes on counting; there is nothing to mask in a flood.
    filter.swap(parts("[flood]\nsender_recipients_max = 35\n")).expect("good parts");
    let chat = filter.generation().parts().policy.channel("chat");
    worker.scan(&[Message { channel: chat, ..messages[0] }], &mut judged);
    assert_eq!(judged[0].flood.sender_messages, 46);
    assert_eq!(judged[0].verdict.action, Action::Hold);

    let metrics = Metrics::new(&filter, None).text();
    for line in
        ["tamis_floods_total{reason=\"sender_messages\"} 16", "tamis_flood_senders 1", "tamis_flood_campaigns 0"]
    {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    // Other limits begin anew.
    filter.swap(parts("[flood]\n")).expect("good parts");
    worker.scan(&messages[..1], &mut judged);
    assert_eq!(judged[0].flood.sender_messages, 1);
}

#[test]
fn limits_that_cannot_be_are_refused_with_their_place() {
    for (flood, wanted) in [
        ("[flood]\nwindow_s = 0\n", "from 1 to 86400"),
        ("[flood]\nsender_recipients_max = 5000\n", "from 1 to 1000"),
        ("[flood]\nsenders_max = 100000000\n", "from 1 to 1000000"),
        ("[flood]\nexempt = [\"*\"]\n", "exempt"),
        ("[flood]\nexempt = [\"a*b\"]\n", "exempt"),
        ("[flood]\nsender_mesages_max = 3\n", "unknown field"),
        ("[flood]\nwindow_s = -1\n", "window_s"),
    ] {
        let (policy, diagnostics) = policy(flood);
        assert!(policy.is_none(), "{flood}");
        assert!(diagnostics[0].contains("policy.toml:") && diagnostics[0].contains(wanted), "{flood}: {diagnostics:?}");
    }
    let (policy, diagnostics) = policy("[flood]\nwindow_s = 30\nexempt = [\"95588\", \"1069*\"]\n");
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let policy = policy.expect("good").resolve(&[]);
    let flood = policy.flood().expect("it is there");
    assert_eq!((flood.window, flood.sender_messages_max), (Duration::from_secs(30), 30));
}

/// Texts of some forty characters, as campaigns send them.
const CAMPAIGNS: [&str; 16] = [
    "Hi Anna, your parcel 441 waits. Pay the fee",
    "Royal Mail: a £1.45 fee is due for item 8841",
    "You won 500 pounds! Reply YES to claim now",
    "Mum its me, new number, text me on this one",
    "Your bank account is locked, call 0800 4417",
    "Earn 300 a day from home, message Lucy 2217",
    "Unpaid toll of 6.99, settle before 12 March",
    "FINAL notice: tax refund 284.10 is not taken",
    "Cheap pills, 70% off until Sunday, text BUY",
    "Loan up to 5000 approved, no checks, reply Y",
    "您的快递8841因地址不详被退回，请点击链接更新地址并补交运费",
    "恭喜您获得5000元额度，无抵押当天放款，回复1立即办理领取",
    "【福利】注册即送88元彩金，日结不限提现，加客服微信领取",
    "招聘兼职，在家刷单日赚300元，佣金秒结，联系客服马上开始",
    "代开各类发票，点数优惠，先验后付，有需要请联系张经理13800",
    "您的社保卡已被停用，请尽快登录网站核实身份信息以免影响使用",
];

/// A text a little changed, as senders do to look different.
fn changed(text: &str, random: &mut Random) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let at = random.below(characters.len());
    match random.below(7) {
        0 => {
            for c in characters.iter_mut().filter(|c| c.is_ascii_digit()) {
                *c = char::from(b'0' + random.below(10) as u8);
            }
        }
        1 => characters.insert(at, '\u{200B}'),
        2 => characters.insert(at, ['!', '.', '~', '🎁'][random.below(4)]),
        3 => {
            for c in &mut characters {
                *c = match (*c, random.below(2)) {
                    ('a', 0) => 'а',
                    ('e', 0) => 'е',
                    ('o', 0) => '0',
                    (c, _) => c,
                };
            }
        }
        4 => return text.to_uppercase(),
        5 => characters.extend([" 🎉", " ok?", " thx", " 谢谢"][random.below(4)].chars()),
        _ => {
            // Another word, or two other characters, in the place of one.
            let words: Vec<&str> = text.split(' ').collect();
            if words.len() < 4 {
                characters.splice(at..(at + 2).min(text.chars().count()), "好的".chars());
            } else {
                let gone = random.below(words.len());
                let others = ["today", "Ben", "quick", "dear"];
                let kept = words.iter().enumerate().map(|(at, &word)| if at == gone { others[at % 4] } else { word });
                return kept.collect::<Vec<_>>().join(" ");
            }
        }
    }
    characters.into_iter().collect()
}

#[test]
fn campaigns_of_short_messages_are_seen_and_private_ones_are_none() {
    let watch = FloodWatch::new(FloodPolicy::default());
    let at = |second: u64| Some(Duration::from_secs(second));
    let (mut joined, mut changes, mut caught) = (0, 0, 0);
    let mut random = Random(7);
    let mut second = 0;
    // Several at once, among the private messages of others, each from a sender of its own.
    let private = sms();
    let mut alarms = 0;
    for round in 0..20 {
        for (number, text) in CAMPAIGNS.iter().enumerate() {
            let text = if round == 0 { (*text).to_owned() } else { changed(text, &mut random) };
            let sender = format!("+4477{number:02}{round:04}");
            let message = Message { sender: sender.as_bytes(), ..Message::body(&text) };
            let signs = watch.see(&message, Delivery { at: at(second), ..Delivery::default() });
            if round > 0 {
                changes += 1;
                joined += usize::from(signs.campaign_messages > 1);
            }
            // By then every campaign has passed five senders.
            caught += usize::from(round >= 8 && signs.is_flood());
            second += 1;
        }
        for number in 0..20 {
            let sender = format!("+4478{round:02}{number:04}");
            let text = &private[(round * 20 + number) % private.len()];
            let message = Message { sender: sender.as_bytes(), ..Message::body(text) };
            let signs = watch.see(&message, Delivery { at: at(second), ..Delivery::default() });
            alarms += usize::from(signs.is_flood());
        }
    }
    println!("joined {joined} of {changes}, caught {caught} of {}, {alarms} alarms", 12 * CAMPAIGNS.len());
    assert!(joined * 100 >= changes * 95, "{joined} of {changes} changed messages were joined to their campaign");
    assert!(caught * 100 >= 12 * CAMPAIGNS.len() * 95, "{caught} of {} were caught", 12 * CAMPAIGNS.len());
    assert_eq!(alarms, 0, "private messages are no campaign");
}
