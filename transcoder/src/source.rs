//! The uploaded file, at hand: read in place where the origin's store is on a disk of this machine, else fetched
//! once for all jobs of the asset, and kept while there is room.

mod fetch;
mod scratch;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use prometheus::IntCounter;
use tidegate_serve::Clock;
use tidegate_wire::AssetId;
use tidegate_wire::job::{Claim, Source, Work};

use crate::api::Api;
use crate::config::{ConfigError, WorkerConfig};
use crate::failure::{Fault, local};
use crate::pulse::Pulse;

use scratch::{Kept, Scratch};

/// Free space said by a worker that reads in place: sources take none of it.
const NO_LIMIT: u64 = i64::MAX as u64;

/// Every source a worker has at hand.
#[derive(Debug)]
pub(crate) struct Sources {
    store: Option<PathBuf>,
    scratch: Arc<Scratch>,
    fetched_bytes: IntCounter,
}

/// A source at hand, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Lent {
    path: PathBuf,
    kept: Option<Kept>,
}

impl Lent {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.kept.as_ref().map_or(&self.path, |kept| kept.path())
    }
}

impl Sources {
    /// Makes the scratch directory this worker's own.
    pub(crate) fn new(
        config: &WorkerConfig,
        clock: Clock,
        fetched_bytes: IntCounter,
    ) -> Result<Self, ConfigError> {
        let scratch = Scratch::new(config.scratch.as_deref(), config.scratch_size.0, clock)?;
        // Children run in directories of their own, so the path must hold everywhere.
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Ok(Self { store: config.store.as_ref().map(absolute), scratch: Arc::new(scratch), fetched_bytes })
    }

    /// Makes room for the source of a job, as it was promised to the origin, for as long as what is returned lives.
    /// Where there is none, that is for the attempt to say.
    pub(crate) fn reserve(&self, claim: &Claim) -> Option<impl Send + use<>> {
        let asks = !matches!(claim.work, Work::Package(_));
        let in_place = || self.stored(&claim.source).is_some_and(|files| files.len() == 1);
        (asks && !in_place()).then(|| self.scratch.keep(claim.asset, claim.source.size_bytes).ok()).flatten()
    }

    /// The source of `asset`; fetched first, or waited for while another job fetches it.
    ///
    /// # Cancellation
    /// What was fetched so far is kept, and gone on with by the next who asks.
    pub(crate) async fn lend(
        &self,
        api: &Api,
        asset: AssetId,
        source: &Source,
        pulse: &Pulse,
    ) -> Result<Lent, Fault> {
        let stored = self.stored(source);
        if let Some([path]) = stored.as_deref() {
            return Ok(Lent { path: path.clone(), kept: None });
        }
        let kept = self.scratch.keep(asset, source.size_bytes)?;
        // Another job may be fetching it, which is watched for getting on.
        let mut state = pulse.waiting(kept.state()).await;
        if !state.is_whole() {
            let fetched = match stored {
                Some(parts) => state.copy(&parts, source, pulse).await,
                None => state.fetch(api, source, pulse, &self.fetched_bytes).await,
            };
            if matches!(fetched, Err(Fault::TakenOver)) {
                self.scratch.forget(asset);
            }
            fetched?;
        }
        drop(state);
        Ok(Lent { path: PathBuf::new(), kept: Some(kept) })
    }

    /// The files of a source in the store's directory, if all of them are there and are as long as they should be.
    fn stored(&self, source: &Source) -> Option<Vec<PathBuf>> {
        let store = self.store.as_ref()?;
        let within = |name: &String| {
            let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            (inside && !name.is_empty()).then(|| store.join(name))
        };
        let paths = source.stored_as.iter().map(within).collect::<Option<Vec<_>>>()?;
        let sizes = paths.iter().map(|path| path.metadata().ok().map(|found| found.len()));
        let size_bytes = sizes.sum::<Option<u64>>()?;
        let fits = !paths.is_empty() && size_bytes == source.size_bytes;
        if !fits {
            tracing::warn!(size_bytes, "source.not_in_store");
        }
        fits.then_some(paths)
    }

    /// Bytes that a source may take.
    pub(crate) fn free_bytes(&self) -> u64 {
        if self.store.is_some() { NO_LIMIT } else { self.scratch.free_bytes() }
    }

    /// Sources that are whole.
    pub(crate) fn holds(&self) -> Vec<AssetId> {
        self.scratch.holds()
    }

    /// Nobody will ask for it again.
    pub(crate) fn forget(&self, asset: AssetId) {
        self.scratch.forget(asset);
    }

    /// Removes what has not been used for long.
    pub(crate) fn sweep(&self) {
        self.scratch.sweep();
    }
}

/// A fault of the scratch directory.
fn scratch_fault(error: &std::io::Error) -> Fault {
    local("scratch", error)
}

#[cfg(test)]
mod tests {
    use tidegate_serve::Entropy;
    use tidegate_wire::Digest;

    use super::*;

    fn setup(store: &Path) -> (Sources, Api) {
        let url = "http://127.0.0.1:1".parse().unwrap();
        let config = WorkerConfig { store: Some(store.to_owned()), ..WorkerConfig::new(url) };
        let api = Api::new(&config.origin, None, Entropy::seeded(1)).unwrap();
        (Sources::new(&config, Clock::system(), IntCounter::new("a", "b").unwrap()).unwrap(), api)
    }

    fn source(stored_as: &[&str], bytes: &[u8]) -> Source {
        Source {
            path: "/media/a/source".into(),
            stored_as: stored_as.iter().map(|&name| name.to_owned()).collect(),
            size_bytes: bytes.len() as u64,
            digest: Digest::from_bytes(*blake3::hash(bytes).as_bytes()).to_string(),
        }
    }

    #[tokio::test]
    async fn one_file_is_read_in_place_and_several_are_put_together() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("ab")).unwrap();
        std::fs::write(dir.path().join("ab/1"), b"hello ").unwrap();
        std::fs::write(dir.path().join("ab/2"), b"world").unwrap();
        let (sources, api) = setup(dir.path());
        let asset = AssetId::generate(7, [0; 10]);
        let alone = sources.lend(&api, asset, &source(&["ab/1"], b"hello "), &Pulse::new()).await.unwrap();
        assert_eq!(alone.path(), dir.path().join("ab/1"));
        let both = source(&["ab/1", "ab/2"], b"hello world");
        let joined = sources.lend(&api, asset, &both, &Pulse::new()).await.unwrap();
        assert_eq!(std::fs::read(joined.path()).unwrap(), b"hello world");
        assert_eq!(sources.holds(), [asset]);
    }

    #[test]
    fn names_that_lead_out_of_the_store_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), b"x").unwrap();
        std::fs::create_dir(dir.path().join("store")).unwrap();
        let (sources, _) = setup(&dir.path().join("store"));
        let absolute = dir.path().join("secret");
        for name in ["../secret", absolute.to_str().unwrap(), "", "missing"] {
            assert_eq!(sources.stored(&source(&[name], b"x")), None, "{name}");
        }
    }
}
