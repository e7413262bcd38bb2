//! Password hashes: argon2id (RFC 9106), away from the threads that serve, and only so many at once.

use std::sync::Arc;

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use prometheus::IntCounter;
use tidegate_serve::Entropy;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;

/// Why a password could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many wait for the same.
    #[error("too many passwords wait to be hashed")]
    Overloaded,
    /// A hash that cannot be made or read.
    #[error("argon2 failed: {0}")]
    Failed(argon2::password_hash::Error),
    /// The process is stopping.
    #[error("the hashing thread was stopped")]
    Stopped,
}

/// Makes and checks password hashes.
pub struct Passwords {
    entropy: Entropy,
    /// A place in the queue or at work.
    places: Arc<Semaphore>,
    workers: Arc<Semaphore>,
    /// The hash of a password nobody has: what an unknown account's password is checked against.
    decoy: String,
    hashes: IntCounter,
}

impl Passwords {
    /// `hashes` counts every run of argon2.
    ///
    /// # Errors
    /// When argon2 does not work at all.
    pub async fn new(entropy: Entropy, hashes: IntCounter) -> Result<Self, PasswordError> {
        let (password, salt) = (entropy.bytes::<32>(), entropy.bytes::<16>());
        let decoy = run(move || make(&password, &salt)).await?;
        Ok(Self {
            entropy,
            places: Arc::new(Semaphore::new(limits::PASSWORD_HASHES + limits::PASSWORD_QUEUE)),
            workers: Arc::new(Semaphore::new(limits::PASSWORD_HASHES)),
            decoy,
            hashes,
        })
    }

    /// The hash of a password in PHC form, salted.
    ///
    /// # Errors
    /// [`PasswordError::Overloaded`] when the queue is full.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let salt = self.entropy.bytes::<16>();
        let turn = self.turn().await?;
        run(move || {
            let _turn = turn;
            make(password.as_bytes(), &salt)
        })
        .await
    }

    /// Whether the password is the one the hash was made of. Without a hash, as for an unknown account, it is not,
    /// and finding that out costs the same.
    ///
    /// # Errors
    /// [`PasswordError::Overloaded`] when the queue is full.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, PasswordError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let turn = self.turn().await?;
        run(move || {
            let _turn = turn;
            match Argon2::default().verify_password(password.as_bytes(), hash.as_str()) {
                Ok(()) => Ok(known),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(PasswordError::Failed(error)),
            }
        })
        .await
    }

    /// Waits for a turn. A caller that goes away gives its place back; a hash that runs keeps its turn to the end.
    async fn turn(&self) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), PasswordError> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| PasswordError::Overloaded)?;
        let worker = self.workers.clone().acquire_owned().await.map_err(|_| PasswordError::Stopped)?;
        self.hashes.inc();
        Ok((place, worker))
    }
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
) -> Result<T, PasswordError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| PasswordError::Stopped)?
}

fn make(password: &[u8], salt: &[u8]) -> Result<String, PasswordError> {
    let hash = Argon2::default().hash_password_with_salt(password, salt).map_err(PasswordError::Failed)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passwords() -> Passwords {
        Passwords::new(Entropy::seeded(1), IntCounter::new("n", "n").unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = passwords().await;
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct horsf".into(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_account_costs_a_hash_too() {
        let passwords = passwords().await;
        let before = passwords.hashes.get();
        assert!(!passwords.verify("anything".into(), None).await.unwrap());
        assert_eq!(passwords.hashes.get(), before + 1);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let passwords = passwords().await;
        let all = limits::PASSWORD_HASHES + limits::PASSWORD_QUEUE;
        let _taken = passwords.places.clone().acquire_many_owned(u32::try_from(all).unwrap()).await.unwrap();
        assert!(matches!(passwords.hash("x".into()).await, Err(PasswordError::Overloaded)));
    }
}
