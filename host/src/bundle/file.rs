//! The frame of a bundle file: lengths and limits. Believes nothing and checks no signature; that is
//! [`verify`](crate::bundle::verify).

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::bundle::manifest::{MANIFEST_BYTES_MAX, hex};
use crate::bundle::{Manifest, Refusal};

const MAGIC: [u8; 8] = *b"tamisbun";
const FORMAT_VERSION: u32 = 1;
/// Largest bundle file that is read, in bytes.
pub const BUNDLE_BYTES_MAX: usize = 256 << 20;
const SIGNATURES_MAX: usize = 16;
const SIGNATURE_BYTES_MAX: usize = 2 << 10;
/// How hard to deflate what travels, of 10.
const LEVEL: u8 = 6;
/// How hard to deflate what a host keeps for itself.
const LEVEL_FAST: u8 = 1;

/// A bundle file, taken apart but not yet believed.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    manifest_bytes: Vec<u8>,
    manifest: Manifest,
    signatures: Vec<String>,
    pub(crate) base: Option<[u8; 32]>,
    pub(crate) bodies: Vec<Body>,
}

/// How one part is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Body {
    /// It is that of the base.
    Same,
    /// Deflated.
    Whole(Vec<u8>),
    /// Changed lines, deflated.
    Changes(Vec<u8>),
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

impl Bundle {
    /// A bundle that is not signed yet.
    pub(crate) fn new(manifest: Manifest, base: Option<[u8; 32]>, bodies: Vec<Body>) -> Bundle {
        Bundle { manifest_bytes: manifest.bytes(), manifest, signatures: Vec::new(), base, bodies }
    }

    /// As the bundle, with parts written another way.
    pub(crate) fn with_bodies(&self, base: Option<[u8; 32]>, bodies: Vec<Body>) -> Bundle {
        Bundle { base, bodies, ..self.clone() }
    }

    /// Takes a file apart.
    ///
    /// # Errors
    /// If a length or limit does not hold.
    pub fn decode(bytes: &[u8]) -> Result<Bundle, Refusal> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            let what = "the file".to_owned();
            return Err(Refusal::TooLarge { what, bytes: bytes.len() as u64, limit: BUNDLE_BYTES_MAX as u64 });
        }
        let mut rest = Rest(bytes);
        if rest.take(8)? != MAGIC {
            return Err(Refusal::Malformed("it does not begin with `tamisbun`".to_owned()));
        }
        let version = rest.number()?;
        if version != FORMAT_VERSION as usize {
            return Err(Refusal::Malformed(format!("format {version}, this host reads {FORMAT_VERSION}")));
        }
        let manifest_bytes = rest.sized("the manifest", MANIFEST_BYTES_MAX)?.to_vec();
        let manifest = Manifest::parse(&manifest_bytes)?;
        let count = rest.number()?;
        if count > SIGNATURES_MAX {
            return Err(Refusal::Malformed(format!("{count} signatures, the limit is {SIGNATURES_MAX}")));
        }
        let mut signatures = Vec::new();
        for _ in 0..count {
            let text = rest.sized("a signature", SIGNATURE_BYTES_MAX)?.to_vec();
            signatures.push(String::from_utf8(text).map_err(|_| Refusal::Malformed("a signature is no text".into()))?);
        }
        let base = match rest.take(1)? {
            [0] => None,
            _ => Some(rest.take(32)?.try_into().map_err(|_| Refusal::Malformed("no base".to_owned()))?),
        };
        let mut bodies = Vec::new();
        for _ in &manifest.parts {
            let how = rest.take(1)?[0];
            let packed = rest.sized("a part", BUNDLE_BYTES_MAX)?;
            bodies.push(match (how, base) {
                (0, Some(_)) if packed.is_empty() => Body::Same,
                (1, _) => Body::Whole(packed.to_vec()),
                (2, Some(_)) => Body::Changes(packed.to_vec()),
                _ => return Err(Refusal::Malformed(format!("a part is written in the way {how}"))),
            });
        }
        if !rest.0.is_empty() {
            return Err(Refusal::Malformed(format!("{} bytes after its end", rest.0.len())));
        }
        Ok(Bundle { manifest_bytes, manifest, signatures, base, bodies })
    }

    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let sized = |bytes: &mut Vec<u8>, part: &[u8]| {
            // Every length has its limit far below 4 GiB.
            bytes.extend((part.len() as u32).to_le_bytes());
            bytes.extend(part);
        };
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        sized(&mut bytes, &self.manifest_bytes);
        bytes.extend((self.signatures.len() as u32).to_le_bytes());
        for signature in &self.signatures {
            sized(&mut bytes, signature.as_bytes());
        }
        bytes.push(u8::from(self.base.is_some()));
        bytes.extend(self.base.iter().flatten());
        for body in &self.bodies {
            let (how, packed): (u8, &[u8]) = match body {
                Body::Same => (0, &[]),
                Body::Whole(packed) => (1, packed),
                Body::Changes(packed) => (2, packed),
            };
            bytes.push(how);
            sized(&mut bytes, packed);
        }
        bytes
    }

    /// What it says of itself; hearsay until verified.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes to sign, in the format of minisign, prehashed.
    #[must_use]
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// SHA-256 of the manifest in hexadecimal: names exactly this bundle.
    #[must_use]
    pub fn digest(&self) -> String {
        hex(&self.digest_bytes())
    }

    pub(crate) fn digest_bytes(&self) -> [u8; 32] {
        Sha256::digest(&self.manifest_bytes).into()
    }

    /// The texts of its signatures.
    #[must_use]
    pub fn signatures(&self) -> &[String] {
        &self.signatures
    }

    /// The digest of the bundle that it is written as changes to, if it is.
    #[must_use]
    pub fn base(&self) -> Option<String> {
        self.base.map(|digest| hex(&digest))
    }

    /// Adds the text of a `.minisig` file over [`manifest_bytes`](Bundle::manifest_bytes).
    pub fn add_signature(&mut self, text: String) {
        self.signatures.push(text);
    }
}

/// Deflates a part.
pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(bytes, LEVEL)
}

/// Deflates a part that stays on this machine, in a fraction of the time.
pub(crate) fn pack_fast(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(bytes, LEVEL_FAST)
}

/// Inflates to at most `bytes_max`; `None` if it would be more, or is not deflated.
pub(crate) fn unpack(packed: &[u8], bytes_max: u64) -> Option<Vec<u8>> {
    let limit = usize::try_from(bytes_max).ok()?;
    miniz_oxide::inflate::decompress_to_vec_with_limit(packed, limit).ok()
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or_else(|| Refusal::Malformed("it is cut short".to_owned()))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize, Refusal> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    fn sized(&mut self, what: &str, limit: usize) -> Result<&'a [u8], Refusal> {
        let length = self.number()?;
        if length > limit {
            return Err(Refusal::TooLarge { what: what.to_owned(), bytes: length as u64, limit: limit as u64 });
        }
        self.take(length)
    }
}
