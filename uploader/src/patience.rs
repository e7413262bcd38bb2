//! Waiting between attempts: the pure rules of [`crate::retry`] with a clock, randomness and someone to tell.

use std::time::Duration;

use tidegate_serve::ambient::Entropy;
use tokio::time::Instant;

use crate::error::UploadError;
use crate::events::{Event, Reporter};
use crate::retry::{self, Backoff, Failure, Operation, Verdict};

/// What to do now that the wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heal {
    /// Ask where things stand and go on.
    Again,
    /// Create without a body.
    CreateEmpty,
    /// The server has lost the upload.
    Anew,
}

/// The patience of one part.
#[derive(Debug)]
pub(crate) struct Patience {
    part: usize,
    reporter: Reporter,
    entropy: Entropy,
    give_up_after: Option<Duration>,
    backoff: Backoff,
    progress_at: Instant,
}

impl Patience {
    pub(crate) fn new(
        part: usize,
        reporter: Reporter,
        entropy: Entropy,
        give_up_after: Option<Duration>,
    ) -> Self {
        Self {
            part,
            reporter,
            entropy,
            give_up_after,
            backoff: Backoff::default(),
            progress_at: Instant::now(),
        }
    }

    /// Something new arrived on the server.
    pub(crate) fn progress(&mut self) {
        self.backoff.reset();
        self.progress_at = Instant::now();
    }

    /// Waits as long as the failure calls for.
    ///
    /// # Errors
    /// The failure, when it will not heal; [`UploadError::GaveUp`] when the time without progress is over.
    pub(crate) async fn after(
        &mut self,
        operation: Operation,
        failure: Failure,
    ) -> Result<Heal, UploadError> {
        let heal = match retry::judge(operation, &failure) {
            Verdict::Stop => return Err(failure.into_error()),
            Verdict::CreateEmpty => return Ok(Heal::CreateEmpty),
            Verdict::Anew => return Ok(Heal::Anew),
            Verdict::Retry => Heal::Again,
        };
        let reason = failure.reason();
        let mut delay = self.backoff.delay(self.entropy.unit(), failure.retry_after());
        if let Some(give_up_after) = self.give_up_after {
            let without = self.progress_at.elapsed();
            if without >= give_up_after {
                return Err(UploadError::GaveUp { after: without, reason });
            }
            // One last attempt when the time is just over, instead of none in its last stretch.
            delay = delay.min(give_up_after - without);
        }
        self.reporter
            .say(Event::Retry {
                file: self.reporter.file(),
                part: self.part,
                reason,
                attempt: self.backoff.failures(),
                delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            })
            .await;
        tokio::time::sleep(delay).await;
        Ok(heal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(give_up_after: Option<Duration>) -> (Patience, tokio::sync::mpsc::Receiver<Event>) {
        let (reporter, events) = Reporter::new("f".into());
        (Patience::new(0, reporter, Entropy::seeded(1), give_up_after), events)
    }

    fn reset() -> Failure {
        Failure::Network("reset".into())
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_it_never_gives_up() {
        let (mut patience, mut events) = patience(None);
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        for _ in 0..10_000 {
            assert_eq!(patience.after(Operation::Send, reset()).await.unwrap(), Heal::Again);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_limit_it_counts_from_the_last_progress() {
        let limit = Duration::from_secs(60);
        let (mut patience, mut events) = patience(Some(limit));
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        tokio::time::advance(Duration::from_secs(50)).await;
        patience.progress();
        let began = Instant::now();
        let error = loop {
            match patience.after(Operation::Confirm, reset()).await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(began.elapsed() >= limit && began.elapsed() < limit + Duration::from_secs(1));
        assert_eq!(error.exit_code(), crate::ExitCode::GaveUp);
        assert!(error.to_string().contains("reset"), "{error}");
    }
}
