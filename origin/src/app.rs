//! The origin put together: what every request may use.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tidegate_serve::admin::Readiness;
use tidegate_serve::{Clock, Entropy};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::first;
use crate::accounts::password::{PasswordError, Passwords};
use crate::accounts::secret;
use crate::accounts::throttle::Throttle;
use crate::catalog::removals::{self, Removal};
use crate::catalog::uploads::Upload;
use crate::catalog::{Catalog, CatalogError, trees};
use crate::config::OriginConfig;
use crate::coord::{self, CoordError, Coordination, Topic};
use crate::events::hub::Hub;
use crate::events::passing::{self, Throttle as Progress};
use crate::grants::{GrantKeys, KeysError};
use crate::limits;
use crate::mail::PostError;
use crate::metrics::Metrics;
use crate::outgoing::Outgoing;
use crate::plays::Plays;
use crate::rates::Rates;
use crate::store::{BlobStore, FileStore, LocalFiles, LocalStore, Tree};

/// Why an origin does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The catalogue.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Redis.
    #[error("the Redis URL cannot be used")]
    Coord(#[from] CoordError),
    /// No store of a known kind.
    #[error("a store is file:///DIR, not {url}")]
    StoreUrl {
        /// What was given.
        url: String,
    },
    /// The store.
    #[error("the blob store cannot be opened at {path}")]
    Store {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The grant keys.
    #[error("the grant keys cannot be had")]
    Keys(#[from] KeysError),
    /// Argon2.
    #[error("passwords cannot be hashed")]
    Password(#[source] PasswordError),
    /// The admin's token or password cannot be written.
    #[error("cannot write what the admin logs in with to {path}")]
    SecretFile {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The fleet key cannot be read.
    #[error("cannot read the fleet key")]
    FleetKey(#[source] std::io::Error),
    /// Two metrics of one name.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
    /// Mail is configured and cannot be sent.
    #[error(transparent)]
    Mail(#[from] PostError),
    /// A port cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// What handlers share.
pub struct App {
    /// The settings.
    pub config: OriginConfig,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Cancelled when the origin is to stop.
    pub shutdown: CancellationToken,
    /// What is counted.
    pub metrics: Metrics,
    /// What keeps this origin from being ready.
    pub readiness: Readiness,
    /// The record.
    pub catalog: Catalog,
    /// Leases, hot offsets, wake-ups.
    pub coord: Coordination,
    /// The bytes.
    pub store: Arc<dyn BlobStore>,
    /// What was made of them.
    pub files: Arc<dyn FileStore>,
    /// Password hashes.
    pub passwords: Passwords,
    /// What slows guessing.
    pub throttle: Throttle,
    /// How often who may ask.
    pub rates: Rates,
    /// Password resets that may be prepared at once.
    pub resets: Arc<Semaphore>,
    /// Makes and checks grants.
    pub grants: GrantKeys,
    /// What players say.
    pub plays: Plays,
    /// Upload requests at work, which run to their end whatever becomes of their connections.
    pub tasks: TaskTracker,
    /// Since when workers could be heard without a gap, in milliseconds since 1970: from the start, or from when the
    /// catalogue was last seen to fail.
    heard_since: AtomicU64,
    /// Held while it is decided who gets a job.
    pub claims: tokio::sync::Mutex<()>,
    /// The event streams of this origin.
    pub hub: Hub,
    /// Of which upload progress was told lately.
    pub upload_progress: Progress,
    /// Of which video progress was told lately.
    pub asset_progress: Progress,
    /// Deliveries and mail.
    pub outgoing: Outgoing,
    /// Why there is no worker in this process, where one was to be.
    no_worker: OnceLock<String>,
    /// SHA-256 of the fleet key.
    fleet_key: Option<[u8; 32]>,
}

impl App {
    /// Connects to everything, brings the catalogue up to date and makes what a first start makes. `shutdown` ends
    /// what runs in the background.
    ///
    /// # Errors
    /// The first part that does not work.
    pub async fn start(
        config: OriginConfig,
        clock: Clock,
        entropy: Entropy,
        shutdown: CancellationToken,
    ) -> Result<Arc<Self>, StartError> {
        let fleet_key = config.read_fleet_key().map_err(StartError::FleetKey)?;
        let metrics = Metrics::new()?;
        let (store, files) = open_store(&config, &entropy)?;
        let coord = match &config.redis_url {
            Some(url) => coord::redis::connect(url, &entropy, &shutdown)?,
            None => Coordination::local(),
        };
        let catalog = Catalog::connect(&config.database).await?;
        let hashes = metrics.password_hashes.clone();
        let passwords = Passwords::new(entropy.clone(), hashes).await.map_err(StartError::Password)?;
        let app = Arc::new(Self {
            grants: GrantKeys::open(catalog.clone(), clock.clone()).await?,
            throttle: Throttle::new(clock.clone()),
            rates: Rates::new(&config),
            resets: Arc::new(Semaphore::new(limits::RESETS_AT_ONCE)),
            fleet_key: fleet_key.map(|key| secret::hash(key.reveal())),
            plays: Plays::new(config.plays_per_minute),
            readiness: Readiness::new(),
            heard_since: AtomicU64::new(clock.unix_ms()),
            hub: Hub::default(),
            upload_progress: Progress::new(limits::PROGRESS_EVERY),
            asset_progress: Progress::new(limits::PROGRESS_EVERY),
            outgoing: Outgoing::new(&config.telling)?,
            config,
            clock,
            entropy,
            shutdown,
            metrics,
            catalog,
            coord,
            store,
            files,
            passwords,
            tasks: TaskTracker::new(),
            claims: tokio::sync::Mutex::new(()),
            no_worker: OnceLock::new(),
        });
        first::make_admin(&app).await?;
        Ok(app)
    }

    /// Notes why there is no worker beside this origin, for whoever looks at a job that waits for one.
    pub fn has_no_worker(&self, why: String) {
        // Said once, at the start.
        let _ = self.no_worker.set(why);
    }

    /// Why there is no worker in this process, where one was to be.
    pub(crate) fn why_no_worker(&self) -> Option<&str> {
        self.no_worker.get().map(String::as_str)
    }

    /// The catalogue did not answer, or too late: what workers said meanwhile was not heard.
    pub(crate) fn note_deafness(&self) {
        self.heard_since.fetch_max(self.clock.unix_ms(), Ordering::Relaxed);
    }

    /// Since when workers could be heard, in milliseconds since 1970.
    pub(crate) fn heard_since(&self) -> u64 {
        self.heard_since.load(Ordering::Relaxed)
    }

    /// Whether `key` is the fleet's. Without a configured one none is.
    pub fn is_fleet_key(&self, key: &str) -> bool {
        // Hashes are compared, not keys: how long that takes says nothing about the key.
        self.fleet_key.is_some_and(|expected| expected == secret::hash(key))
    }

    /// Whether there is a fleet key at all.
    pub fn has_fleet_key(&self) -> bool {
        self.fleet_key.is_some()
    }

    /// A purge has been committed: wakes whoever waits for one, here and at the other origins.
    pub fn announce_purge(&self) {
        self.metrics.purges.inc();
        self.coord.wakeups.notify(Topic::Purges);
    }

    /// Jobs may have become ready: wakes the workers that wait for one, here and at the other origins.
    pub fn announce_jobs(&self) {
        self.coord.wakeups.notify(Topic::Jobs);
    }

    /// Tells whoever shows progress how far an upload has come. Nobody waits for it.
    pub fn tell_offset(&self, upload: &Upload, offset: u64) {
        let (hot, id) = (self.coord.hot.clone(), upload.id);
        passing::upload(self, upload, offset);
        tokio::spawn(async move { hot.set(id, offset).await });
    }

    /// Removes bytes that were let go in a change that has committed. What fails is tried again by
    /// [`crate::housekeeping`].
    pub async fn remove_bytes(&self, removal: Removal) {
        if let Err(error) = self.store.remove(removal.id, removal.last_segment).await {
            tracing::warn!(error = &error as &dyn std::error::Error, asset.id = %removal.id, "removal.failed");
            return;
        }
        if let Err(error) = removals::done(&self.catalog, removal.id).await {
            tracing::warn!(error = &error as &dyn std::error::Error, asset.id = %removal.id, "removal.not_noted");
        }
    }

    /// Removes packaged files that were let go in a change that has committed, as [`App::remove_bytes`] does.
    pub async fn remove_tree(&self, path: &str) {
        let Ok(tree) = path.parse::<Tree>() else { return };
        if let Err(error) = self.files.remove_tree(tree).await {
            tracing::warn!(error = &error as &dyn std::error::Error, tree.path = path, "tree_removal.failed");
            return;
        }
        if let Err(error) = trees::done(&self.catalog, path).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                tree.path = path,
                "tree_removal.not_noted"
            );
        }
    }
}

type Stores = (Arc<dyn BlobStore>, Arc<dyn FileStore>);

fn open_store(config: &OriginConfig, entropy: &Entropy) -> Result<Stores, StartError> {
    let path = config.store.strip_prefix("file://").filter(|path| !path.is_empty());
    let path = Path::new(path.ok_or_else(|| StartError::StoreUrl { url: config.store.clone() })?);
    let store = LocalStore::open(path, config.durability);
    let store = store.map_err(|source| StartError::Store { path: path.to_owned(), source })?;
    let store = store.direct_writes(config.direct_writes);
    let files = LocalFiles::new(path, config.durability, entropy.clone());
    Ok((Arc::new(store), Arc::new(files)))
}
