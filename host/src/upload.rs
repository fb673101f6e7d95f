//! Uploads: texts that arrive in chunks and may be longer than a message, judged in the sandbox of a worker. Not for
//! taking text out of files; what comes in is taken as text.

use std::time::{Duration, Instant};

use tamis_guest::{ChannelId, UPLOAD_BYTES_MAX, VerdictFlags};

use crate::instance::UploadOrigin;
use crate::{FloodSigns, Judged, ScanFailure, Worker};

/// An upload on its way. The worker judges nothing else until it ends: one worker for each that arrives at the same
/// time. If it is dropped, nothing was judged.
#[derive(Debug)]
pub struct Upload<'w> {
    worker: &'w mut Worker,
    channel: ChannelId,
    sender: Vec<u8>,
    bytes: u64,
    /// Time in the sandbox so far.
    spent: Duration,
    /// Once it failed, the rest is not looked at.
    failure: Option<ScanFailure>,
}

impl Worker {
    /// Begins an upload of a sender, which may be empty, on a channel as the policy of the newest generation numbers
    /// it. That generation judges all of it, whatever comes meanwhile.
    pub fn upload(&mut self, channel: impl FnOnce(&tamis_guest::Policy) -> ChannelId, sender: &[u8]) -> Upload<'_> {
        self.follow();
        let channel = channel(&self.generation().parts().policy);
        let (bytes, spent) = (0, Duration::ZERO);
        let mut upload = Upload { worker: self, channel, sender: sender.to_vec(), bytes, spent, failure: None };
        let sender = std::mem::take(&mut upload.sender);
        upload.attempt(|worker| worker.instance()?.begin_upload(channel, &sender));
        upload.sender = sender;
        upload
    }
}

impl Upload<'_> {
    /// Takes the next bytes, however many. Copies them into the sandbox, and scans once in 896 KiB, with the deadline
    /// of a batch for that.
    pub fn push(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.attempt(|worker| worker.instance()?.push_upload(chunk));
    }

    /// Judges all of it. Up to 4 GiB count, of which spans are bytes; of a longer upload, so much is judged and the
    /// verdict says so. Modules beside the filter and the watch for floods see messages only. After a failure the
    /// verdict is the policy's answer to failures: the chunks are gone, so there is no second try.
    pub fn finish(mut self, judged: &mut Judged) {
        judged.generation = self.worker.generation().number();
        (judged.flood, judged.strikes) = (FloodSigns::default(), 0);
        judged.sides.clear();
        let origin = UploadOrigin { bytes: self.bytes.min(UPLOAD_BYTES_MAX), has_sender: !self.sender.is_empty() };
        self.attempt(|worker| worker.instance()?.finish_upload(origin, &mut judged.verdict));
        judged.failure = self.failure.take();
        if judged.failure.is_some() {
            judged.verdict.action = self.worker.generation().failure_action(self.channel);
            judged.verdict.flags = VerdictFlags::default();
            judged.verdict.matches.clear();
            judged.verdict.shadow.clear();
        }
        self.worker.count_strike(&self.sender, judged);
        self.worker.retire_if_worn();
        self.worker.generation().stats.add(
            &self.worker.generation().parts().pack,
            std::slice::from_ref(judged),
            self.spent,
        );
    }

    fn attempt(&mut self, call: impl FnOnce(&mut Worker) -> Result<(), ScanFailure>) {
        if self.failure.is_some() {
            return;
        }
        let start = Instant::now();
        if let Err(failure) = call(self.worker) {
            self.failure = Some(failure);
            self.worker.retire();
        }
        self.spent += start.elapsed();
    }
}
