//! What the rules of some countries want in advertising by SMS: who sends it, and how to end it. Not for
//! telling whether a message is advertising; that is the model.

/// What a text has of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marketing {
    /// A name in `【】` or `[]` at the start or the end.
    pub has_signature: bool,
    /// A way to receive no more: `STOP`, 退订, 拒收.
    pub has_opt_out: bool,
}

/// Ways to say it, in small letters.
const OPT_OUTS: [&str; 17] = [
    "stop",
    "unsub",
    "opt out",
    "opt-out",
    "optout",
    "退订",
    "退訂",
    "拒收",
    "回t",
    "回复t",
    "回覆t",
    "回td",
    "取消订阅",
    "取消訂閱",
    "不再接收",
    "reply end",
    "to quit",
];

/// Looks for both in a text. Costs some microseconds: for messages that are advertising only.
#[must_use]
pub fn marketing(text: &[u8]) -> Marketing {
    let trimmed = text.trim_ascii();
    let brackets = |open: &str, close: &str| {
        let (open, close) = (open.as_bytes(), close.as_bytes());
        let name = |name: &[u8]| (1..=60).contains(&name.len());
        let at_start =
            trimmed.strip_prefix(open).and_then(|rest| find(rest, close)).is_some_and(|at| (1..=60).contains(&at));
        let at_end = trimmed.strip_suffix(close).and_then(|rest| rfind(rest, open).map(|at| &rest[at + open.len()..]));
        at_start || at_end.is_some_and(name)
    };
    let has_opt_out =
        OPT_OUTS.iter().any(|words| text.windows(words.len()).any(|here| here.eq_ignore_ascii_case(words.as_bytes())));
    Marketing { has_signature: brackets("【", "】") || brackets("[", "]"), has_opt_out }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|here| here == wanted)
}

fn rfind(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).rposition(|here| here == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_and_opt_out_are_seen() {
        let of = |text: &str| (marketing(text.as_bytes()).has_signature, marketing(text.as_bytes()).has_opt_out);
        assert_eq!(of("【某某商城】全场五折，退订回T"), (true, true));
        assert_eq!(of("全场五折【某某商城】"), (true, false));
        assert_eq!(of("[Shop] Sale today. Reply STOP to end"), (true, true));
        assert_eq!(of("Sale [today] only"), (false, false));
        assert_eq!(of(""), (false, false));
    }
}
