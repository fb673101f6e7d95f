//! Where bundles come from: a folder, or an HTTP(S) address. Both hold `NAME.tamis`, the newest bundle whole,
//! and may hold `NAME.from-DIGEST.tamis`, the same as changes to the one with that digest (its first sixteen
//! digits), and `NAME.emergency.json`. Believes nothing: what comes is hearsay until it is verified.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::bundle::store::{read_limited, write_whole};
use crate::bundle::{Bundle, Refusal};

/// How many digits of a digest are in a file's name.
const NAME_DIGITS: usize = 16;

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
        let file = format!("{name}.emergency.json");
        match self {
            Source::Folder(folder) if file_stamp(&folder.join(&file))?.is_none() => Ok(None),
            Source::Folder(_) => self.read(&file).map(Some),
            // A server that does not answer is told of where the bundle is asked for.
            #[cfg(feature = "http")]
            Source::Http(_) => Ok(self.read(&file).ok()),
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

/// Puts a signed bundle where hosts fetch it: first as changes to the one that was there, then whole, each
/// renamed into place. What was there is kept as `NAME-SEQUENCE.tamis`. Returns the size of the changes.
///
/// # Errors
/// If the folder cannot be written, or the sequence is not above the one that is there.
pub fn publish(bundle: &Bundle, folder: &Path) -> Result<Option<usize>, Refusal> {
    if bundle.signatures().is_empty() {
        return Err(Refusal::Unsigned);
    }
    let manifest = bundle.manifest();
    let store = |path: &Path| {
        let path = path.to_owned();
        move |error| Refusal::Store { path, error }
    };
    fs::create_dir_all(folder).map_err(store(folder))?;
    let path = folder.join(whole_name(&manifest.name));
    let mut changes_bytes = None;
    if path.is_file() {
        let old = Bundle::decode(&read_limited(&path)?)?;
        let (mark, found) = (old.manifest().sequence, manifest.sequence);
        if found <= mark {
            return Err(Refusal::Rollback { found, mark });
        }
        let changes = bundle.as_changes_to(&old)?.encode();
        write_whole(&folder.join(changes_name(&manifest.name, &old.digest())), &changes)?;
        write_whole(&folder.join(format!("{}-{mark}.tamis", manifest.name)), &old.encode())?;
        changes_bytes = Some(changes.len());
    }
    write_whole(&path, &bundle.encode())?;
    Ok(changes_bytes)
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
