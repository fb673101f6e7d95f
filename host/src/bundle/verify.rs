//! Whether a bundle may be used here at all, before anything of it is compiled: signatures, name, clock,
//! sequence, boundary version, sizes and digests, in this order.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::bundle::file::{Body, Bundle, unpack};
use crate::bundle::manifest::hex;
use crate::bundle::{Content, Manifest, Mark, Refusal, Trust, delta, sha256_hex};

/// How far a clock may be behind the one that signed, in seconds.
pub(crate) const CLOCK_SLACK_S: u64 = 24 * 3600;
/// Most that a sequence may jump: a stolen key cannot use up all that are left.
const SEQUENCE_STEP_MAX: u64 = 10_000;

/// What a host expects of the next bundle.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Which keys may sign what.
    pub trust: &'a Trust,
    /// The name of the bundle.
    pub name: &'a str,
    /// What ran here before.
    pub mark: Option<&'a Mark>,
    /// The bundle that changes may refer to.
    pub base: Option<&'a Verified>,
    /// The time now.
    pub now: SystemTime,
}

/// A bundle that was signed for this host, unpacked, every digest right.
#[derive(Clone, Debug)]
pub struct Verified {
    bundle: Bundle,
    content: Content,
    digest: String,
}

impl Verified {
    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.bundle.manifest()
    }

    /// What it holds.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// SHA-256 of the manifest in hexadecimal: names exactly this bundle.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The file, whole even if it came as changes.
    #[must_use]
    pub fn whole(&self) -> Bundle {
        if self.bundle.base.is_none() {
            return self.bundle.clone();
        }
        let parts = self.content.parts.iter().map(|(_, bytes)| Body::Whole(super::file::pack_fast(bytes)));
        self.bundle.with_bodies(None, parts.collect())
    }

    /// Whether the keys of another trust file signed it too.
    pub(crate) fn is_signed_by(&self, trust: &Trust) -> bool {
        check_signatures(&self.bundle, trust).is_ok()
    }

    /// The mark that it leaves once it runs.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { sequence: self.manifest().sequence, sha256: self.digest.clone(), created: self.manifest().created }
    }
}

/// Seconds since 1970.
pub(crate) fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Checks a bundle up to its digests.
///
/// # Errors
/// The first check that fails.
pub fn verify(bundle: Bundle, expected: &Expected<'_>) -> Result<Verified, Refusal> {
    check_signatures(&bundle, expected.trust)?;
    let manifest = bundle.manifest();
    if manifest.name != expected.name {
        return Err(Refusal::Name { expected: expected.name.to_owned(), found: manifest.name.clone() });
    }
    let now = unix_s(expected.now);
    if manifest.created > now + CLOCK_SLACK_S {
        return Err(Refusal::Clock { seconds: manifest.created - now });
    }
    if manifest.expires <= now {
        return Err(Refusal::Expired { seconds: now - manifest.expires });
    }
    let digest = bundle.digest();
    if let Some(mark) = expected.mark {
        check_sequence(manifest.sequence, &digest, mark)?;
    }
    let [min, max] = manifest.abi;
    let host = tamis_guest::wire::ABI_VERSION;
    if !(min..=max).contains(&host) {
        return Err(Refusal::Abi { min, max, host });
    }
    let content = unpack_all(&bundle, expected.base)?;
    Ok(Verified { bundle, content, digest })
}

/// Whether enough keys of each role signed it.
fn check_signatures(bundle: &Bundle, trust: &Trust) -> Result<(), Refusal> {
    let signers = trust.signers(bundle.manifest_bytes(), bundle.signatures())?;
    bundle.manifest().parts.iter().try_for_each(|part| signers.require(part.kind.role(), &part.kind.to_string()))
}

/// A bundle that this host kept, read again at its start: expired or not, and whatever the mark.
pub(crate) fn verify_kept(bundle: Bundle, trust: &Trust, name: &str) -> Result<Verified, Refusal> {
    let created = bundle.manifest().created.min(bundle.manifest().expires.saturating_sub(1));
    let then = UNIX_EPOCH + std::time::Duration::from_secs(created);
    verify(bundle, &Expected { trust, name, mark: None, base: None, now: then })
}

fn check_sequence(found: u64, digest: &str, mark: &Mark) -> Result<(), Refusal> {
    if found < mark.sequence {
        return Err(Refusal::Rollback { found, mark: mark.sequence });
    }
    if found == mark.sequence && digest != mark.sha256 {
        return Err(Refusal::Equivocation(found));
    }
    if found > mark.sequence.saturating_add(SEQUENCE_STEP_MAX) {
        return Err(Refusal::FastForward { found, mark: mark.sequence, limit: SEQUENCE_STEP_MAX });
    }
    Ok(())
}

impl Bundle {
    /// What it holds, every digest right, though who signed it is not looked at: for those who made it.
    ///
    /// # Errors
    /// If it is written as changes, or a digest is wrong.
    pub fn unpack(&self) -> Result<Content, Refusal> {
        unpack_all(self, None)
    }
}

fn unpack_all(bundle: &Bundle, base: Option<&Verified>) -> Result<Content, Refusal> {
    let base = match bundle.base {
        None => None,
        Some(wanted) => {
            let base = base.filter(|base| base.bundle.digest_bytes() == wanted);
            Some(base.ok_or_else(|| Refusal::DeltaBase(hex(&wanted)))?)
        }
    };
    let mut content = Content::default();
    for (part, body) in bundle.manifest().parts.iter().zip(&bundle.bodies) {
        let of_base = || base.and_then(|base| base.content.part(part.kind));
        let bytes = match body {
            Body::Same => of_base().map(<[u8]>::to_vec),
            Body::Whole(packed) => unpack(packed, part.bytes),
            // Changes that say more than the whole are no changes.
            Body::Changes(packed) => of_base().and_then(|old| {
                let changes = unpack(packed, part.bytes.saturating_mul(2).saturating_add(1 << 16))?;
                delta::apply(old, &changes, part.bytes)
            }),
        };
        let bytes = bytes.filter(|bytes| bytes.len() as u64 == part.bytes && sha256_hex(bytes) == part.sha256);
        content.parts.push((part.kind, bytes.ok_or(Refusal::Digest(part.kind))?));
    }
    Ok(content)
}
