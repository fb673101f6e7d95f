//! Reading messages: plain lines or JSON Lines, from files or standard input, within limits. Not for
//! judging; what cannot be understood is still handed on as text, so that nothing passes unseen.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;
use tamis_guest::{Field, Message, Policy};
use tamis_host::Delivery;

/// Longest line that is kept; a text may be that long escaped and still be within the scan's limit.
const LINE_BYTES_MAX: usize = 16 << 20;
/// Size of the read buffer: several batches of SMS.
const BUFFER_BYTES: usize = 256 << 10;

/// A message as it was read.
#[derive(Debug)]
pub(crate) struct Line {
    /// The id it came with, or the number of its line, from 1.
    pub(crate) id: Value,
    pub(crate) text: Vec<u8>,
    pub(crate) field: Field,
    pub(crate) channel: Option<String>,
    pub(crate) sender: String,
    pub(crate) recipient: String,
    /// When it was sent, by the sender's clock.
    pub(crate) time: Option<Duration>,
}

impl Line {
    /// A message body without circumstances.
    pub(crate) fn plain(id: Value, text: Vec<u8>) -> Line {
        let (sender, recipient) = (String::new(), String::new());
        Line { id, text, field: Field::Body, channel: None, sender, recipient, time: None }
    }

    /// The message, with the channel as `policy` numbers it.
    pub(crate) fn message<'a>(&'a self, policy: &Policy) -> Message<'a> {
        let channel = self.channel.as_ref().map(|name| policy.channel(name)).unwrap_or_default();
        Message { text: &self.text, field: self.field, channel, sender: self.sender.as_bytes() }
    }

    /// Its id as it is shown.
    pub(crate) fn id_text(&self) -> String {
        match &self.id {
            Value::String(id) => id.clone(),
            id => id.to_string(),
        }
    }

    /// Where it goes, and when.
    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery { recipient: self.recipient.as_bytes(), at: self.time }
    }
}

/// A line in JSON. Other keys are the sender's business.
#[derive(Deserialize)]
struct JsonLine {
    id: Option<Value>,
    text: String,
    field: Option<String>,
    channel: Option<String>,
    sender: Option<String>,
    recipient: Option<String>,
    /// In seconds, of any clock.
    time: Option<f64>,
}

/// Reads one file of messages.
pub(crate) struct Input {
    name: String,
    reader: BufReader<Box<dyn Read>>,
    number: u64,
    is_json: Option<bool>,
    /// Ids are `file:line` where there are several files.
    ids_with_name: bool,
    bytes: Vec<u8>,
}

/// Opens all files before the first is read, so that a misspelt name costs nothing.
pub(crate) fn open(files: &[PathBuf]) -> anyhow::Result<Vec<Input>> {
    let standard_input = [PathBuf::from("-")];
    let files = if files.is_empty() { &standard_input } else { files };
    files.iter().map(|path| Input::open(path, files.len() > 1)).collect()
}

impl Input {
    fn open(path: &Path, ids_with_name: bool) -> anyhow::Result<Input> {
        let reader: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            let open = || format!("cannot read messages from {}", path.display());
            let file = File::open(path).with_context(open)?;
            if file.metadata().with_context(open)?.is_dir() {
                bail!("{} is a folder; name the files in it", path.display());
            }
            Box::new(file)
        };
        let name = path.display().to_string();
        let reader = BufReader::with_capacity(BUFFER_BYTES, reader);
        Ok(Input { name, reader, number: 0, is_json: None, ids_with_name, bytes: Vec::new() })
    }

    /// Reads all of it as one upload, and returns what is known of it without its text: its name is the id.
    pub(crate) fn read_upload(&mut self, mut take: impl FnMut(&[u8])) -> anyhow::Result<Line> {
        loop {
            let chunk = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk.with_context(|| format!("cannot read {}", self.name))?,
            };
            if chunk.is_empty() {
                let upload = Line::plain(Value::String(self.name.clone()), Vec::new());
                return Ok(Line { field: Field::Upload, ..upload });
            }
            take(chunk);
            let length = chunk.len();
            self.reader.consume(length);
        }
    }

    /// Appends up to `most` messages to `lines`: waits for one, then takes what is there already.
    /// `problems` gets what is wrong with lines. Returns whether there may be more.
    pub(crate) fn read(
        &mut self,
        most: usize,
        lines: &mut Vec<Line>,
        problems: &mut Vec<String>,
    ) -> anyhow::Result<bool> {
        for taken in 0..most {
            if taken > 0 && !self.reader.buffer().contains(&b'\n') {
                break;
            }
            if !self.read_line().with_context(|| format!("cannot read {}", self.name))? {
                return Ok(false);
            }
            self.number += 1;
            let line = self.parse(problems);
            lines.extend(line);
        }
        Ok(true)
    }

    /// Whether the next message is here already.
    pub(crate) fn has_more_now(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }

    /// Reads a line into `bytes`, without its end; what is beyond the limit is skipped.
    fn read_line(&mut self) -> io::Result<bool> {
        self.bytes.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        if self.reader.by_ref().take(limit).read_until(b'\n', &mut self.bytes)? == 0 {
            return Ok(false);
        }
        if self.bytes.len() > LINE_BYTES_MAX && !self.bytes.ends_with(b"\n") {
            self.reader.skip_until(b'\n')?;
        }
        for end in [b'\n', b'\r'] {
            if self.bytes.last() == Some(&end) {
                self.bytes.pop();
            }
        }
        Ok(true)
    }

    fn parse(&mut self, problems: &mut Vec<String>) -> Option<Line> {
        let bytes = if self.number == 1 {
            self.bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.bytes)
        } else {
            &self.bytes
        };
        let looks_like_json = || bytes.trim_ascii_start().starts_with(b"{");
        let json = || serde_json::from_slice::<JsonLine>(bytes);
        let is_json = *self.is_json.get_or_insert_with(|| looks_like_json() && json().is_ok());
        let place = if self.ids_with_name {
            Value::from(format!("{}:{}", self.name, self.number))
        } else {
            Value::from(self.number)
        };
        if !is_json {
            return Some(Line::plain(place, bytes.to_vec()));
        }
        if bytes.trim_ascii().is_empty() {
            return None;
        }
        let mut problem = |what: String| problems.push(format!("{}:{}: {what}", self.name, self.number));
        match json() {
            Err(error) => {
                problem(format!("not a JSON message ({error}); the line itself was judged"));
                Some(Line::plain(place, bytes.to_vec()))
            }
            Ok(line) => {
                let field = line.field.as_deref().map(|name| (name, Field::from_name(name)));
                if let Some((name, None)) = field {
                    problem(format!("unknown field `{name}`, judged as `body`; fields are body, name, upload"));
                }
                let time = line.time.map(|seconds| (seconds, Duration::try_from_secs_f64(seconds)));
                if let Some((seconds, Err(_))) = time {
                    problem(format!("time {seconds}, taken for now; `time` is in seconds, from 0 on"));
                }
                Some(Line {
                    id: line.id.unwrap_or(place),
                    text: line.text.into_bytes(),
                    field: field.and_then(|(_, field)| field).unwrap_or_default(),
                    channel: line.channel,
                    sender: line.sender.unwrap_or_default(),
                    recipient: line.recipient.unwrap_or_default(),
                    time: time.and_then(|(_, time)| time.ok()),
                })
            }
        }
    }
}
