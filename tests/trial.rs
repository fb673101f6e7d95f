//! What keeps a bad generation from doing harm: trials beside the one that judges, breakers, strikes, and the
//! figures they go by.

use std::time::Duration;

use tamis_guest::compile::BreakerLimits;
use tamis_guest::{Action, Message};
use tamis_host::{Breakers, Counts, Delivery, Filter, Metrics, Parts, Strikes, TrialMode, Trip};
use tamis_tests::{blocking_parts, pack_of, runtime};

fn parts(terms: &str) -> Parts {
    blocking_parts(pack_of(terms))
}

fn filter() -> Filter {
    Filter::new(runtime(), parts("zorkblat")).expect("it starts")
}

fn from<'a>(sender: &'a str, text: &'a str) -> Message<'a> {
    Message { sender: sender.as_bytes(), ..Message::body(text) }
}

#[test]
fn a_trial_that_watches_changes_no_verdict_and_counts_what_would_change() {
    let filter = filter();
    let mut worker = filter.worker().expect("a worker");
    let number = filter.try_out(parts("grimblewort"), TrialMode::Watch, 10_000).expect("it starts");
    let mut judged = Vec::new();
    let messages =
        [from("a", "a zorkblat"), from("b", "a grimblewort"), Message::body("nothing"), from("c", "a grimblewort")];
    for _ in 0..10 {
        worker.scan(&messages, &mut judged);
        let seen: Vec<_> = judged.iter().map(|one| (one.verdict.action, one.generation)).collect();
        assert_eq!(seen, [(Action::Block, 1), (Action::Allow, 1), (Action::Allow, 1), (Action::Allow, 1)]);
    }
    let trial = filter.end_trial().expect("it ran");
    assert_eq!((trial.generation().number(), trial.mode()), (number, TrialMode::Watch));
    let report = trial.report();
    assert_eq!((report.compared, report.failures), (40, 0));
    assert_eq!(report.changed, [(Action::Allow, Action::Block, 20), (Action::Block, Action::Allow, 10)]);
    // Ended, it sees no more.
    worker.scan(&messages, &mut judged);
    assert_eq!(trial.report().compared, 40);
}

#[test]
fn a_trial_that_judges_judges_the_same_senders_each_time() {
    let filter = filter();
    let mut worker = filter.worker().expect("a worker");
    let number = filter.try_out(parts("grimblewort"), TrialMode::Judge, 3_000).expect("it starts");
    let senders: Vec<String> = (0..1_000).map(|number| format!("+86 1{number:010}")).collect();
    let messages: Vec<Message<'_>> = senders.iter().map(|sender| from(sender, "a grimblewort")).collect();
    let mut judged = Vec::new();
    worker.scan(&messages, &mut judged);
    let first: Vec<u64> = judged.iter().map(|one| one.generation).collect();
    for one in &judged {
        let by_trial = one.generation == number;
        assert_eq!(one.verdict.action, if by_trial { Action::Block } else { Action::Allow });
        assert_eq!(worker.generation_of(one).number(), one.generation, "the verdict can be looked up");
    }
    let share = first.iter().filter(|&&generation| generation == number).count();
    assert!((200..400).contains(&share), "{share} of 1,000 senders in 30 %");
    let mut another = filter.worker().expect("a worker");
    another.scan(&messages, &mut judged);
    assert!(judged.iter().map(|one| one.generation).eq(first), "another worker sends other senders to the trial");
    // Taken over, it has a number of its own, above.
    let taken_over = filter.swap(filter.end_trial().expect("it ran").generation().parts().clone()).expect("it starts");
    assert!(taken_over > number);
}

#[test]
fn without_a_sender_a_trial_goes_by_the_recipient_and_then_by_the_text() {
    let filter = filter();
    let mut worker = filter.worker().expect("a worker");
    let number = filter.try_out(parts("grimblewort"), TrialMode::Judge, 3_000).expect("it starts");
    let (names, texts): (Vec<String>, Vec<String>) =
        (0..1_000).map(|number| (format!("+86 1{number:010}"), format!("a grimblewort {number}"))).unzip();
    let mut by_trial = |messages: &[Message<'_>], deliveries: &[Delivery<'_>]| {
        let mut judged = Vec::new();
        worker.follow();
        worker.scan_pinned_to(messages, deliveries, &mut judged);
        judged.iter().map(|one| one.generation == number).collect::<Vec<bool>>()
    };
    let deliveries: Vec<Delivery<'_>> =
        names.iter().map(|name| Delivery { recipient: name.as_bytes(), at: None }).collect();
    let other: Vec<Delivery<'_>> = deliveries.iter().rev().copied().collect();
    let messages: Vec<Message<'_>> = texts.iter().map(|text| Message::body(text)).collect();
    let same = vec![Message::body("a grimblewort"); messages.len()];
    let share = |taken: &[bool]| taken.iter().filter(|&&taken| taken).count();
    // One recipient meets one behaviour, whatever the text.
    let by_recipient = by_trial(&same, &deliveries);
    assert!((200..400).contains(&share(&by_recipient)), "{} of 1,000 recipients in 30 %", share(&by_recipient));
    assert_eq!(by_trial(&messages, &deliveries), by_recipient);
    // Without one, the same text meets the same, in every order and batch.
    let by_text = by_trial(&messages, &[]);
    assert!((200..400).contains(&share(&by_text)), "{} of 1,000 texts in 30 %", share(&by_text));
    let single: Vec<bool> = messages.iter().flat_map(|one| by_trial(&[*one], &[])).collect();
    assert_eq!(single, by_text);
    assert!([0, 1000].contains(&share(&by_trial(&same, &[]))), "one text, two behaviours");
    // A sender goes before both.
    let senders: Vec<Message<'_>> = names.iter().map(|name| from(name, "a grimblewort")).collect();
    assert_eq!(by_trial(&senders, &other), by_trial(&senders, &deliveries));
    assert_eq!(by_trial(&senders, &[]), by_recipient, "the name decides, whosever it is");
}

fn counts(actions: [u64; 5], failures: u64, class: usize) -> Counts {
    let mut times = vec![0; 22];
    times[class] = actions.iter().sum();
    Counts {
        age: Duration::from_secs(1),
        actions,
        categories: Vec::new(),
        deadlines: 0,
        traps: failures,
        time: Duration::from_secs(1),
        times,
    }
}

#[test]
fn breakers_trip_on_failures_on_more_blocks_and_on_slowness_only() {
    let breakers = Breakers::default();
    let good = counts([950, 20, 0, 20, 10], 0, 3);
    assert_eq!(breakers.check(&good, &good), None);
    assert_eq!(breakers.check(&good, &counts([940, 20, 0, 25, 15], 5, 5)), None, "a little worse is no reason");
    assert_eq!(
        breakers.check(&good, &counts([900, 0, 0, 100, 0], 40, 3)),
        Some(Trip::Failures { failed: 40, messages: 1000 })
    );
    assert!(matches!(breakers.check(&good, &counts([800, 0, 0, 0, 200], 0, 3)), Some(Trip::KeptBack { .. })));
    assert!(matches!(breakers.check(&good, &counts([950, 20, 0, 20, 10], 0, 10)), Some(Trip::Slow { .. })));
    // Too few messages mean nothing, except if the filter fails on them.
    assert_eq!(breakers.check(&good, &counts([0, 0, 0, 0, 100], 0, 3)), None);
    assert!(matches!(breakers.check(&good, &counts([0, 0, 0, 20, 0], 20, 3)), Some(Trip::Failures { .. })));
}

#[test]
fn a_policy_says_when_breakers_trip() {
    let limits = BreakerLimits { failed_percent_max: Some(4.5), p99_factor_max: Some(2), ..BreakerLimits::default() };
    let (usual, limited) = (Breakers::default(), Breakers::default().limited(&limits));
    let (good, failing) = (counts([950, 20, 0, 20, 10], 0, 3), counts([900, 0, 0, 100, 0], 40, 3));
    assert!(matches!(usual.check(&good, &failing), Some(Trip::Failures { .. })));
    assert!(!matches!(limited.check(&good, &failing), Some(Trip::Failures { .. })));
    assert_eq!((limited.watch_for, limited.messages_min), (usual.watch_for, usual.messages_min));
    let slower = counts([950, 20, 0, 20, 10], 0, 9);
    assert_eq!(usual.check(&counts([950, 20, 0, 20, 10], 0, 6), &slower), None);
    assert!(matches!(limited.check(&counts([950, 20, 0, 20, 10], 0, 6), &slower), Some(Trip::Slow { .. })));
}

#[test]
fn counts_are_those_of_the_messages() {
    let filter = filter();
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Vec::new();
    for _ in 0..100 {
        worker.scan(&["a zorkblat", "two zorkblat zorkblat", "nothing"].map(Message::body), &mut judged);
    }
    let counts = filter.generation().counts();
    assert_eq!((counts.messages(), counts.failures()), (300, 0));
    assert_eq!((counts.actions[Action::Allow as usize], counts.actions[Action::Block as usize]), (100, 200));
    assert_eq!(counts.categories, [200], "a message counts once in a category");
    assert_eq!(counts.times.iter().sum::<u64>(), 300);
    assert!((counts.kept_back_share() - 2.0 / 3.0).abs() < 1e-9);
    assert!(counts.time > Duration::ZERO && counts.p99() > Duration::ZERO);
}

#[test]
fn metrics_are_text_that_prometheus_reads() {
    let filter = filter();
    let metrics = Metrics::new(&filter, None);
    let mut judged = Vec::new();
    filter.worker().expect("a worker").scan(&["a zorkblat", "nothing"].map(Message::body), &mut judged);
    filter.swap(parts("grimblewort")).expect("it starts");
    let text = metrics.text();
    for line in [
        "tamis_messages_total{generation=\"1\",action=\"block\"} 1",
        "tamis_messages_total{generation=\"1\",action=\"allow\"} 1",
        "tamis_messages_total{generation=\"2\",action=\"allow\"} 0",
        "tamis_matched_messages_total{generation=\"1\",category=\"custom\"} 1",
        "tamis_message_seconds_count{generation=\"1\"} 2",
        "tamis_message_seconds_bucket{le=\"+Inf\",generation=\"1\"} 2",
        "tamis_failures_total{generation=\"1\",kind=\"trap\"} 0",
        "tamis_generation 2",
        "tamis_swaps_refused_total 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
    }
    // However many generations there were, there are metrics of the newest only.
    for _ in 0..10 {
        filter.swap(parts("grimblewort")).expect("it starts");
    }
    let generations = metrics.text().lines().filter(|line| line.starts_with("tamis_message_seconds_count")).count();
    assert_eq!(generations, 4);
}

#[test]
fn strikes_are_in_the_verdict() {
    let filter = filter();
    filter.count_strikes(Strikes::new(Duration::from_secs(3600), 10_000));
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Vec::new();
    let messages = [
        from("a", "a zorkblat"),
        from("b", "hello"),
        from("a", "hello"),
        from("a", "a zorkblat"),
        Message::body("a zorkblat"),
    ];
    worker.scan(&messages, &mut judged);
    let strikes: Vec<u32> = judged.iter().map(|one| one.strikes).collect();
    assert_eq!(strikes, [1, 0, 1, 2, 0]);
}
