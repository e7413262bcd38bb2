//! The keys that grants are made and checked with, as they stand in the catalogue.

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use tidegate_serve::Clock;
use tidegate_wire::fleet::{KeySet, PublicKey};
use tidegate_wire::grant::{Grant, GrantError, GrantSigner, InvalidKey, KeyRing};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::catalog::keys::{self, GrantKey};
use crate::catalog::{Catalog, CatalogError};
use crate::limits;

/// Why the keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A key cannot be made or read.
    #[error(transparent)]
    Invalid(#[from] InvalidKey),
    /// There is none in force, which the first start makes sure of.
    #[error("the catalogue has no grant key in force")]
    None,
}

struct Loaded {
    signer: GrantSigner,
    set: KeySet,
    ring: KeyRing,
}

/// Makes and checks grants with the keys as they were last read.
pub struct GrantKeys {
    catalog: Catalog,
    clock: Clock,
    loaded: RwLock<Arc<Loaded>>,
    /// When the keys were last read; held while they are.
    read_at: Mutex<Instant>,
}

impl GrantKeys {
    /// Reads the keys, and makes the first one where there is none.
    ///
    /// # Errors
    /// When the catalogue fails or a key in it is not one.
    pub async fn open(catalog: Catalog, clock: Clock) -> Result<Self, KeysError> {
        let loaded = match load(&catalog, &clock).await {
            Err(KeysError::None) => {
                let key = new_key(clock.unix_ms())?;
                let mut tx = catalog.begin().await?;
                if keys::insert_first(&mut tx, &key).await? {
                    tx.commit().await?;
                    tracing::info!(key.id = %key.id, "grant_key.made");
                } else {
                    drop(tx);
                }
                load(&catalog, &clock).await?
            }
            loaded => loaded?,
        };
        let (loaded, read_at) = (RwLock::new(Arc::new(loaded)), Mutex::new(Instant::now()));
        Ok(Self { catalog, clock, loaded, read_at })
    }

    /// Retires the key in force and puts a new one in its place. Grants of the old one go on until they expire.
    ///
    /// # Errors
    /// When the catalogue fails.
    pub async fn rotate(catalog: &Catalog, clock: &Clock) -> Result<String, KeysError> {
        let key = new_key(clock.unix_ms())?;
        let mut tx = catalog.begin().await?;
        keys::rotate(&mut tx, &key).await?;
        tx.commit().await?;
        Ok(key.id)
    }

    /// Reads the keys again. When that fails the ones at hand stay in use.
    ///
    /// # Errors
    /// When the catalogue fails or a key in it is not one.
    pub async fn refresh(&self) -> Result<(), KeysError> {
        let mut read_at = self.read_at.lock().await;
        self.reload(&mut read_at).await
    }

    async fn reload(&self, read_at: &mut Instant) -> Result<(), KeysError> {
        *read_at = Instant::now();
        let loaded = Arc::new(load(&self.catalog, &self.clock).await?);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    fn loaded(&self) -> Arc<Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A grant for paths below `prefix` until `expires_at` (seconds since 1970).
    pub fn sign(&self, prefix: &str, expires_at: u32) -> String {
        self.loaded().signer.sign(prefix, expires_at)
    }

    /// Every key whose grants may still run.
    pub fn key_set(&self) -> KeySet {
        self.loaded().set.clone()
    }

    /// Checks that a grant is genuine, in force and covers `path`. A key that is not known has the keys read again,
    /// in case another origin has rotated them; not more often than [`limits::GRANT_KEYS_REFRESH_ON_DEMAND`].
    ///
    /// # Errors
    /// What is wrong with the grant.
    pub async fn verify(&self, grant: &str, path: &str) -> Result<Grant, GrantError> {
        let now = self.clock.unix_s();
        let verdict = self.loaded().ring.verify(grant, path, now);
        if verdict != Err(GrantError::UnknownKey) {
            return verdict;
        }
        {
            let mut read_at = self.read_at.lock().await;
            if read_at.elapsed() >= limits::GRANT_KEYS_REFRESH_ON_DEMAND
                && let Err(error) = self.reload(&mut read_at).await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "grant_keys.refresh_failed");
            }
        }
        self.loaded().ring.verify(grant, path, now)
    }
}

/// How long after its retirement a key's grants may still run: as long as a grant, and what another origin takes to
/// see the rotation.
pub fn kept_ms() -> u64 {
    let kept = limits::GRANT_LONGEST + limits::GRANT_KEYS_REFRESH * 2;
    u64::try_from(kept.as_millis()).unwrap_or(u64::MAX)
}

async fn load(catalog: &Catalog, clock: &Clock) -> Result<Loaded, KeysError> {
    let now = clock.unix_ms();
    let mut keys = keys::list(catalog).await?;
    keys.retain(|key| key.retired_at.is_none_or(|retired| retired.saturating_add(kept_ms()) > now));
    let current = keys.iter().find(|key| key.retired_at.is_none()).ok_or(KeysError::None)?;
    let signer = read_signer(current)?;
    let set = KeySet {
        keys: keys.iter().map(|key| Ok(read_signer(key)?.public_key())).collect::<Result<_, InvalidKey>>()?,
    };
    let ring = KeyRing::new(&set.keys);
    Ok(Loaded { signer, set, ring })
}

fn read_signer(key: &GrantKey) -> Result<GrantSigner, InvalidKey> {
    GrantSigner::from_pkcs8(&URL_SAFE_NO_PAD.decode(&key.pkcs8).map_err(|_| InvalidKey)?)
}

fn new_key(now_ms: u64) -> Result<GrantKey, InvalidKey> {
    // A key is ring's own business down to its randomness.
    let pkcs8 = GrantSigner::generate_pkcs8(&SystemRandom::new())?;
    let signer = GrantSigner::from_pkcs8(&pkcs8)?;
    let id = public_text(&signer.public_key());
    Ok(GrantKey { id, pkcs8: URL_SAFE_NO_PAD.encode(pkcs8), created_at: now_ms, retired_at: None })
}

fn public_text(key: &PublicKey) -> String {
    URL_SAFE_NO_PAD.encode(key.to_bytes().unwrap_or_default())
}
