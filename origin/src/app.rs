//! The origin put together: what every request may use, and what runs beside them.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_serve::admin::Readiness;
use tidegate_serve::{Clock, Entropy};
use tidegate_wire::AssetId;
use tokio::sync::Notify;

use crate::accounts::first;
use crate::accounts::password::{PasswordError, Passwords};
use crate::accounts::secret;
use crate::accounts::throttle::Throttle;
use crate::catalog::removals::{self, Removal};
use crate::catalog::{Catalog, CatalogError};
use crate::config::OriginConfig;
use crate::coord::sessions::{LocalSessions, Sessions};
use crate::grants::{GrantKeys, KeysError};
use crate::metrics::Metrics;

/// Why an origin does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The catalogue.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The grant keys.
    #[error("the grant keys cannot be had")]
    Keys(#[from] KeysError),
    /// Argon2.
    #[error("passwords cannot be hashed")]
    Password(#[source] PasswordError),
    /// The admin's token cannot be written.
    #[error("cannot write the admin's token to {path}")]
    TokenFile {
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
    /// A port cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
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
    /// What is counted.
    pub metrics: Metrics,
    /// What keeps this origin from being ready.
    pub readiness: Readiness,
    /// The record.
    pub catalog: Catalog,
    /// Who is logged in.
    pub sessions: Arc<dyn Sessions>,
    /// Password hashes.
    pub passwords: Passwords,
    /// What slows guessing.
    pub throttle: Throttle,
    /// Makes and checks grants.
    pub grants: GrantKeys,
    /// Wakes requests that wait for a purge.
    purged: Notify,
    /// SHA-256 of the fleet key.
    fleet_key: Option<[u8; 32]>,
}

impl App {
    /// Connects to everything, brings the catalogue up to date and makes what a first start makes.
    ///
    /// # Errors
    /// The first part that does not work.
    pub async fn start(
        config: OriginConfig,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Arc<Self>, StartError> {
        let fleet_key = config.read_fleet_key().map_err(StartError::FleetKey)?;
        let metrics = Metrics::new()?;
        let catalog = Catalog::connect(&config.database).await?;
        let passwords = Passwords::new(entropy.clone(), metrics.password_hashes.clone())
            .await
            .map_err(StartError::Password)?;
        let grants = GrantKeys::open(catalog.clone(), clock.clone()).await?;
        let app = Arc::new(Self {
            throttle: Throttle::new(clock.clone()),
            clock,
            entropy,
            metrics,
            readiness: Readiness::new(),
            catalog,
            sessions: Arc::new(LocalSessions::new()),
            passwords,
            grants,
            purged: Notify::new(),
            fleet_key: fleet_key.map(|key| secret::hash(key.reveal())),
            config,
        });
        first::make_admin(&app).await?;
        Ok(app)
    }

    /// Whether `key` is the fleet's. Without a configured one none is.
    pub fn is_fleet_key(&self, key: &str) -> bool {
        // Hashes are compared, not keys: how long that takes says nothing about the key.
        self.fleet_key.is_some_and(|expected| expected == secret::hash(key))
    }

    /// A purge has been committed: wakes whoever waits for one.
    pub fn announce_purge(&self) {
        self.metrics.purges.inc();
        self.purged.notify_waiters();
    }

    /// Resolves at the next purge announced after this call.
    pub fn next_purge(&self) -> tokio::sync::futures::Notified<'_> {
        self.purged.notified()
    }

    /// Removes bytes that were let go in a change that has committed. What fails is tried again by
    /// [`crate::housekeeping`].
    pub async fn remove_bytes(&self, removal: &Removal) {
        let removed = self.remove_from_store(removal.id).await;
        if removed && let Err(error) = removals::done(&self.catalog, removal.id).await {
            tracing::warn!(error = &error as &dyn std::error::Error, asset.id = %removal.id, "removal.not_noted");
        }
    }

    /// Whether the bytes are gone.
    async fn remove_from_store(&self, _id: AssetId) -> bool {
        false
    }
}
