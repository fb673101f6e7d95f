//! A text with signatures beside it, as emergency files and trust files travel: JSON with `signed`, the exact text
//! that is signed, and `signatures`, each the text of a `.minisig`. Not for what the text says or who may sign it.

use serde::{Deserialize, Serialize};

use crate::bundle::Refusal;

const FILE_BYTES_MAX: usize = 256 << 10;

/// A text and the signatures over it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedText {
    /// The text, exactly as it was signed.
    pub signed: String,
    /// Signatures, each the text of a `.minisig`.
    pub signatures: Vec<String>,
}

impl SignedText {
    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a file of at most 256 KiB; `what` it is to be goes into the error.
    pub(crate) fn decode(bytes: &[u8], what: &str) -> Result<SignedText, Refusal> {
        if bytes.len() > FILE_BYTES_MAX {
            let what = format!("the {what}");
            return Err(Refusal::TooLarge { what, bytes: bytes.len() as u64, limit: FILE_BYTES_MAX as u64 });
        }
        serde_json::from_slice(bytes).map_err(|error| Refusal::Malformed(format!("{what}: {error}")))
    }
}
