//! The thread that reads.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use tokio::sync::oneshot;

use super::access::Access;
use super::{JournalError, Pending};

/// Each listener of the API asks for one page at a time; more than this wait only when the disk hangs.
const QUESTIONS: usize = 1024;

type Question = Box<dyn FnOnce(&Access) + Send>;

/// Asks the thread that reads.
pub(super) struct Reader {
    questions: Option<SyncSender<Question>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Reader {
    /// Starts the thread; it leaves the damaged records out.
    pub(super) fn start(path: PathBuf, damaged: BTreeSet<u64>) -> Result<Self, JournalError> {
        let access = Access::open(&path, damaged)?;
        let (questions, asked) = sync_channel(QUESTIONS);
        let thread = thread::Builder::new()
            .name("journal-reader".to_owned())
            .spawn(move || answer_all(&access, &asked))
            .map_err(|error| JournalError::Unreadable(format!("no thread to read with: {error}")))?;
        Ok(Self { questions: Some(questions), thread: Some(thread) })
    }

    /// Lets the thread find something out.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        find: impl FnOnce(&Access) -> Result<T, JournalError> + Send + 'static,
    ) -> Pending<T> {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |access| {
            // Whoever asked may be gone.
            let _ = answer.send(find(access));
        });
        let refused = match self.questions.as_ref().map(|questions| questions.try_send(question)) {
            Some(Ok(())) => None,
            Some(Err(TrySendError::Full(_))) => Some(JournalError::Busy),
            Some(Err(TrySendError::Disconnected(_))) | None => Some(JournalError::Closed),
        };
        Box::pin(async move {
            match refused {
                Some(error) => Err(error),
                None => answered.await.unwrap_or(Err(JournalError::Closed)),
            }
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            // It ends when the last question is answered; a panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

fn answer_all(access: &Access, asked: &Receiver<Question>) {
    while let Ok(question) = asked.recv() {
        question(access);
    }
}
