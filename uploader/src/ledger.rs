//! The journal as the parts of one upload write it: shared, and optional.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;

use crate::journal::{Journal, Record};

/// Keeps the record and writes it when it changes.
#[derive(Debug)]
pub(crate) struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    record: Mutex<Record>,
    /// Held while writing, so that an older content never replaces a newer one. Empty when there is no journal.
    journal: Mutex<Option<Journal>>,
}

impl Ledger {
    pub(crate) fn new(record: Record, journal: Option<Journal>) -> Self {
        Self(Arc::new(Inner { record: Mutex::new(record), journal: Mutex::new(journal) }))
    }

    /// A look at the record.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.0.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The address of part `index`, when it was created.
    pub(crate) fn url(&self, index: usize) -> Option<Url> {
        self.look(|record| Url::parse(record.parts.get(index)?.url.as_deref()?).ok())
    }

    /// Changes the record without writing it.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.0.record.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Changes the record and writes it durably.
    pub(crate) async fn write(&self, change: impl FnOnce(&mut Record)) -> io::Result<()> {
        self.change(change);
        self.blocking(|inner| {
            let journal = inner.journal.lock().unwrap_or_else(PoisonError::into_inner);
            // Read inside the lock: whoever writes last writes the newest.
            let record = inner.record.lock().unwrap_or_else(PoisonError::into_inner).clone();
            journal.as_ref().map_or(Ok(()), |journal| journal.save(&record))
        })
        .await
    }

    /// The upload is over: the journal goes.
    pub(crate) async fn close(&self) -> io::Result<()> {
        self.blocking(|inner| {
            let journal = inner.journal.lock().unwrap_or_else(PoisonError::into_inner).take();
            journal.map_or(Ok(()), Journal::remove)
        })
        .await
    }

    async fn blocking(&self, work: impl FnOnce(&Inner) -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let inner = self.0.clone();
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(io::Error::other)?
    }
}
