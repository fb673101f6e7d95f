//! Signals: what a message has, apart from its words. Not for weighing them; that is the model.

/// Something a message has. The numbers are those of the model's weights: a new one goes to the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Signal {
    /// A link, of whatever kind.
    Link = 0,
    /// A link with its scheme: `https://`.
    LinkScheme = 1,
    /// A link with a path.
    LinkPath = 2,
    /// A host of a service that hides where a link leads.
    LinkShortener = 3,
    /// A top-level domain that is cheap to buy in numbers.
    LinkCheap = 4,
    /// A number as host.
    LinkAddress = 5,
    /// A host in punycode.
    LinkPunycode = 6,
    /// A host with letters of several alphabets or styles, or its dot hidden.
    LinkDisguised = 7,
    /// A host with digits or hyphens among its letters.
    LinkOddHost = 8,
    /// A telephone number.
    Phone = 9,
    /// A telephone number that begins like those that cost more.
    PhonePremium = 10,
    /// A number of five or six digits, as services have.
    ShortCode = 11,
    /// A handle on another service: WeChat, QQ, Telegram.
    Contact = 12,
    /// An amount of money.
    Money = 13,
    /// A thousand or more of some currency.
    MoneyLarge = 14,
    /// A percentage, or a discount in tenths.
    Percent = 15,
    /// A third of the words in capitals.
    Shouting = 16,
    /// An exclamation mark.
    Exclaims = 17,
    /// Three or more of them.
    ExclaimsMuch = 18,
    /// A name in `【】` or `[]` at the start or the end.
    Signature = 19,
    /// Invisible characters within the text.
    Invisible = 20,
    /// Letters drawn in another style, or of another alphabet than their neighbours.
    Disguised = 21,
    /// Words in pieces of one letter.
    Apart = 22,
    /// Digits or signs for letters.
    Leet = 23,
    /// The sender is a short code.
    SenderShort = 24,
    /// The sender is a name.
    SenderName = 25,
    /// The sender is a long number.
    SenderNumber = 26,
}

impl Signal {
    /// How many weights for signals a model has: room for more than there are.
    pub const SLOTS: usize = 32;

    /// All signals, in the order of their numbers.
    pub const ALL: [Signal; 27] = [
        Signal::Link,
        Signal::LinkScheme,
        Signal::LinkPath,
        Signal::LinkShortener,
        Signal::LinkCheap,
        Signal::LinkAddress,
        Signal::LinkPunycode,
        Signal::LinkDisguised,
        Signal::LinkOddHost,
        Signal::Phone,
        Signal::PhonePremium,
        Signal::ShortCode,
        Signal::Contact,
        Signal::Money,
        Signal::MoneyLarge,
        Signal::Percent,
        Signal::Shouting,
        Signal::Exclaims,
        Signal::ExclaimsMuch,
        Signal::Signature,
        Signal::Invisible,
        Signal::Disguised,
        Signal::Apart,
        Signal::Leet,
        Signal::SenderShort,
        Signal::SenderName,
        Signal::SenderNumber,
    ];

    /// What it is, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Signal::Link => "link",
            Signal::LinkScheme => "link with scheme",
            Signal::LinkPath => "link with path",
            Signal::LinkShortener => "link shortener",
            Signal::LinkCheap => "cheap top-level domain",
            Signal::LinkAddress => "number as host",
            Signal::LinkPunycode => "host in punycode",
            Signal::LinkDisguised => "disguised host",
            Signal::LinkOddHost => "digits or hyphens in host",
            Signal::Phone => "telephone number",
            Signal::PhonePremium => "premium number",
            Signal::ShortCode => "short code",
            Signal::Contact => "contact elsewhere",
            Signal::Money => "money",
            Signal::MoneyLarge => "much money",
            Signal::Percent => "percentage",
            Signal::Shouting => "shouting",
            Signal::Exclaims => "exclamation mark",
            Signal::ExclaimsMuch => "many exclamation marks",
            Signal::Signature => "signature",
            Signal::Invisible => "invisible characters",
            Signal::Disguised => "disguised letters",
            Signal::Apart => "letters apart",
            Signal::Leet => "digits for letters",
            Signal::SenderShort => "sender is a short code",
            Signal::SenderName => "sender is a name",
            Signal::SenderNumber => "sender is a long number",
        }
    }

    /// The sender's kind; `None` if it is unknown.
    #[must_use]
    pub fn of_sender(sender: &[u8]) -> Option<Signal> {
        let digits = sender.iter().filter(|byte| byte.is_ascii_digit()).count();
        match (digits, sender.iter().any(|&byte| byte.is_ascii_alphabetic() || byte >= 0x80)) {
            (_, true) => Some(Signal::SenderName),
            (0, false) => None,
            (1..=6, false) => Some(Signal::SenderShort),
            _ => Some(Signal::SenderNumber),
        }
    }
}

/// A set of signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct SignalSet(u32);

impl SignalSet {
    /// Adds one.
    pub fn insert(&mut self, signal: Signal) {
        self.0 |= 1 << signal as u8;
    }

    /// Whether it is there.
    #[must_use]
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & 1 << signal as u8 != 0
    }

    /// Whether there is something to follow, to call or to pay.
    pub(crate) fn is_reachable(self) -> bool {
        const WAYS: u32 = 1 << Signal::Link as u32
            | 1 << Signal::Phone as u32
            | 1 << Signal::ShortCode as u32
            | 1 << Signal::Contact as u32
            | 1 << Signal::Money as u32;
        self.0 & WAYS != 0
    }

    /// Those of both.
    #[must_use]
    pub fn with(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }

    /// The signals there are, in the order of their numbers. Costs as much as there are signals.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let number = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            Signal::ALL.get(number as usize).copied()
        })
    }
}
