//! What is judged: a text, where it comes from, and who sends it. Not for how it is carried: the
//! packed form that crosses into the sandbox is in [`wire`](crate::wire).

use crate::ChannelId;

/// Which part of a user's traffic a text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
#[repr(u8)]
pub enum Field {
    /// The text of a message.
    #[default]
    Body = 0,
    /// An account name, nickname or profile line.
    Name = 1,
    /// Text out of an uploaded file.
    Upload = 2,
}

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = 3;
    /// All fields, in the order of their numbers.
    pub const ALL: [Field; Field::COUNT] = [Field::Body, Field::Name, Field::Upload];

    /// The field of that number, the inverse of `field as u8`.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Field> {
        Field::ALL.get(usize::from(number)).copied()
    }

    /// The field's name in lists, policies and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Field::Body => "body",
            Field::Name => "name",
            Field::Upload => "upload",
        }
    }

    /// The field of that name, the inverse of [`name`](Field::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// A message to judge. Any bytes will do: what is not UTF-8 separates words and is reported in the
/// verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Message<'a> {
    /// The text, by intent UTF-8.
    pub text: &'a [u8],
    /// What the text is.
    pub field: Field,
    /// The channel as the policy numbers it; [`Policy`](crate::Policy) gives the number of a name.
    pub channel: ChannelId,
    /// Sender id, short code or number; empty where unknown.
    pub sender: &'a [u8],
}

impl<'a> Message<'a> {
    /// The body of a message on the policy's default channel, sender unknown.
    #[must_use]
    pub fn body(text: &'a str) -> Message<'a> {
        Message { text: text.as_bytes(), ..Message::default() }
    }
}
