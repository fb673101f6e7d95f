//! Where bundles come from: a folder, or an HTTP(S) address. Both hold `NAME.tamis`, the newest bundle whole,
//! and may hold `NAME.from-DIGEST.tamis`, the same as changes to the one with that digest (its first sixteen
//! digits), `NAME.emergency.json`, and `NAME.trust-VERSION.json`, the trust file of each version that followed one
//! before. Believes nothing: what comes is hearsay until it is verified.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::bundle::manifest::check_name;
use crate::bundle::store::read_limited;
use crate::bundle::{Bundle, Manifest, Refusal, SignedText, Trust};
use crate::files::write_whole;

/// How many digits of a digest are in a file's name.
const NAME_DIGITS: usize = 16;
/// To how many earlier bundles changes are published.
const CHANGES_KEPT: usize = 8;

/// Where bundles come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// A folder, as `tamis bundle publish` writes it.
    Folder(PathBuf),
    /// The same folder behind an address, such as `https://lists.example/bundles`. Redirects are not followed.
    #[cfg(feature = "http")]
    Http(String),
}

/// What a source had the last time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stamp {
    File {
        bytes: u64,
        modified: Option<SystemTime>,
        file: u64,
    },
    #[cfg(feature = "http")]
    Tag(String),
}

impl Source {
    /// A folder, or an address if it begins like one.
    ///
    /// # Errors
    /// If it is an address and this host was built without the feature `http`.
    pub fn parse(text: &str) -> Result<Source, Refusal> {
        if !["http://", "https://"].iter().any(|start| text.starts_with(start)) {
            return Ok(Source::Folder(PathBuf::from(text)));
        }
        #[cfg(feature = "http")]
        return Ok(Source::Http(text.trim_end_matches('/').to_owned()));
        #[cfg(not(feature = "http"))]
        Err(Refusal::Fetch { from: text.to_owned(), reason: "this host was built without HTTP".to_owned() })
    }

    /// What marks the newest bundle; it changes when the bundle does.
    pub(crate) fn stamp(&self, name: &str, last: Option<&Stamp>) -> Result<Option<Stamp>, Refusal> {
        match self {
            Source::Folder(folder) => {
                let _ = last;
                let stamp = file_stamp(&folder.join(whole_name(name)))?;
                if stamp.is_none() && !folder.is_dir() {
                    let reason = "there is no such folder; `tamis bundle publish --to` makes it".to_owned();
                    return Err(Refusal::Fetch { from: folder.display().to_string(), reason });
                }
                Ok(stamp)
            }
            #[cfg(feature = "http")]
            Source::Http(address) => http::stamp(&format!("{address}/{}", whole_name(name)), last),
        }
    }

    /// The newest bundle, whole.
    pub(crate) fn whole(&self, name: &str) -> Result<Vec<u8>, Refusal> {
        self.read(&whole_name(name))
    }

    /// The newest bundle as changes to the one with that digest; `None` if the source has no such.
    pub(crate) fn changes(&self, name: &str, base_digest: &str) -> Option<Vec<u8>> {
        self.read(&changes_name(name, base_digest)).ok()
    }

    /// The emergency file, `NAME.emergency.json`; `None` if the source has none.
    pub(crate) fn emergency(&self, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        self.read_if_there(&format!("{name}.emergency.json"))
    }

    /// The trust file of that version, `NAME.trust-VERSION.json`; `None` if the source has none.
    pub(crate) fn trust(&self, name: &str, version: u64) -> Result<Option<Vec<u8>>, Refusal> {
        self.read_if_there(&trust_name(name, version))
    }

    fn read_if_there(&self, file: &str) -> Result<Option<Vec<u8>>, Refusal> {
        match self {
            Source::Folder(folder) if file_stamp(&folder.join(file))?.is_none() => Ok(None),
            Source::Folder(_) => self.read(file).map(Some),
            // A server that does not answer is told of where the bundle is asked for, and one that has a page for
            // everything has no such file.
            #[cfg(feature = "http")]
            Source::Http(_) => Ok(self.read(file).ok().filter(|bytes| bytes.starts_with(b"{"))),
        }
    }

    /// Whether to ask it may take long, whoever answers.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        !matches!(self, Source::Folder(_))
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, Refusal> {
        match self {
            Source::Folder(folder) => read_limited(&folder.join(file)),
            #[cfg(feature = "http")]
            Source::Http(address) => http::get(&format!("{address}/{file}")),
        }
    }
}

fn whole_name(name: &str) -> String {
    format!("{name}.tamis")
}

fn trust_name(name: &str, version: u64) -> String {
    format!("{name}.trust-{version}.json")
}

fn changes_name(name: &str, base_digest: &str) -> String {
    format!("{name}.from-{}.tamis", base_digest.get(..NAME_DIGITS).unwrap_or(base_digest))
}

fn file_stamp(path: &Path) -> Result<Option<Stamp>, Refusal> {
    match fs::metadata(path) {
        Ok(metadata) => {
            #[cfg(unix)]
            let file = std::os::unix::fs::MetadataExt::ino(&metadata);
            #[cfg(not(unix))]
            let file = 0;
            Ok(Some(Stamp::File { bytes: metadata.len(), modified: metadata.modified().ok(), file }))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::Fetch { from: path.display().to_string(), reason: error.to_string() }),
    }
}

/// Puts a signed bundle where hosts fetch it: first as changes to those that were there before, then whole, each
/// renamed into place. What was there is kept as `NAME-SEQUENCE.tamis`. Returns the size of the changes to the last.
///
/// # Errors
/// If the folder cannot be written, or the sequence is not above the one that is there.
pub fn publish(bundle: &Bundle, folder: &Path) -> Result<Option<usize>, Refusal> {
    if bundle.signatures().is_empty() {
        return Err(Refusal::Unsigned);
    }
    let Manifest { name, sequence: found, .. } = bundle.manifest();
    let put = |file: String, bytes: &[u8]| {
        let path = folder.join(file);
        write_whole(&path, bytes).map_err(|error| Refusal::Store { path, error })
    };
    fs::create_dir_all(folder).map_err(|error| Refusal::Store { path: folder.to_owned(), error })?;
    let whole = folder.join(whole_name(name));
    let mut changes_bytes = None;
    if whole.is_file() {
        let last = Bundle::decode(&read_limited(&whole)?)?;
        let mark = last.manifest().sequence;
        if *found <= mark {
            return Err(Refusal::Rollback { found: *found, mark });
        }
        put(format!("{name}-{mark}.tamis"), &last.encode())?;
        // Those of hosts that missed some. Each leads to the newest, and what would lead to another goes.
        let mut led = BTreeSet::new();
        for old in earlier(folder, name)?.into_iter().take(CHANGES_KEPT) {
            let Ok(old) = read_limited(&folder.join(old)).and_then(|bytes| Bundle::decode(&bytes)) else { continue };
            let Ok(changes) = bundle.as_changes_to(&old).map(|changes| changes.encode()) else { continue };
            let file = changes_name(name, &old.digest());
            put(file.clone(), &changes)?;
            led.insert(file);
            changes_bytes.get_or_insert(changes.len());
        }
        for stale in names(folder, &format!("{name}.from-"))?.into_iter().filter(|file| !led.contains(file)) {
            // One that stays is followed by a host that then asks for more.
            let _ = fs::remove_file(folder.join(stale));
        }
    }
    put(whole_name(name), &bundle.encode())?;
    Ok(changes_bytes)
}

/// Puts the trust file that follows `now` where hosts of the bundles of that name fetch it. It stays there, for hosts
/// that were away, which take one version after the other.
///
/// # Errors
/// If it does not follow, or the folder cannot be written.
pub fn publish_trust(next: &SignedText, now: &Trust, name: &str, folder: &Path) -> Result<(), Refusal> {
    check_name(name)?;
    let next_version = now.rotate(next)?.version();
    let path = folder.join(trust_name(name, next_version));
    let put = || {
        fs::create_dir_all(folder)?;
        write_whole(&path, &next.encode())
    };
    put().map_err(|error| Refusal::Store { path: path.clone(), error })
}

/// The bundles that were there before, the newest first.
fn earlier(folder: &Path, name: &str) -> Result<Vec<String>, Refusal> {
    let start = format!("{name}-");
    let sequence = |file: &String| file.strip_prefix(&start)?.strip_suffix(".tamis")?.parse::<u64>().ok();
    let mut files: Vec<(u64, String)> =
        names(folder, &start)?.into_iter().filter_map(|file| Some((sequence(&file)?, file))).collect();
    files.sort_by(|one, next| next.cmp(one));
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

/// Names of the bundles that begin so.
fn names(folder: &Path, start: &str) -> Result<Vec<String>, Refusal> {
    let failed = |error| Refusal::Store { path: folder.to_owned(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.starts_with(start) && name.ends_with(".tamis") {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(feature = "http")]
mod http {
    //! Plain HTTP(S): HEAD with `If-None-Match`, and GET. No redirects, no cookies, no compression.

    use std::time::Duration;

    use ureq::Agent;
    use ureq::http::Response;

    use super::Stamp;
    use crate::bundle::{BUNDLE_BYTES_MAX, Refusal};

    /// How long one request may take.
    const TIMEOUT: Duration = Duration::from_secs(30);
    /// How long a server may take to be there, and to begin its answer.
    const PATIENCE: Duration = Duration::from_secs(5);

    fn agent() -> Agent {
        let config = Agent::config_builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .user_agent("tamis");
        config.build().into()
    }

    fn failed(address: &str, reason: impl ToString) -> Refusal {
        Refusal::Fetch { from: address.to_owned(), reason: reason.to_string() }
    }

    fn check<T>(address: &str, response: &Response<T>) -> Result<(), Refusal> {
        match response.status().as_u16() {
            200 => Ok(()),
            300..=399 => Err(Refusal::Redirect { address: address.to_owned() }),
            status => Err(failed(address, format!("status {status}"))),
        }
    }

    pub(super) fn stamp(address: &str, last: Option<&Stamp>) -> Result<Option<Stamp>, Refusal> {
        let mut request = agent().head(address);
        if let Some(Stamp::Tag(tag)) = last {
            request = request.header("If-None-Match", tag);
        }
        let response = request.call().map_err(|error| failed(address, error))?;
        if response.status() == 304 {
            return Ok(last.cloned());
        }
        if response.status() == 404 {
            return Ok(None);
        }
        check(address, &response)?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let tag = header("ETag").or_else(|| header("Last-Modified"));
        tag.map(|tag| Some(Stamp::Tag(tag.to_owned())))
            .ok_or_else(|| failed(address, "the server sends neither ETag nor Last-Modified"))
    }

    pub(super) fn get(address: &str) -> Result<Vec<u8>, Refusal> {
        let mut response = agent().get(address).call().map_err(|error| failed(address, error))?;
        check(address, &response)?;
        let body = response.body_mut().with_config().limit(BUNDLE_BYTES_MAX as u64);
        body.read_to_vec().map_err(|error| failed(address, error))
    }
}
