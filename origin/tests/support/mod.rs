//! A catalogue on either engine, fresh for each test.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its part")]

pub mod api;
pub mod stream;
pub mod worker;

use std::sync::Arc;

use tempfile::TempDir;
use tidegate_origin::about::About;
use tidegate_origin::access::Role;
use tidegate_origin::catalog::{Account, AccountId, Catalog, NewAsset, Visibility, accounts};
use tidegate_origin::config::DatabaseOptions;
use tidegate_testkit::Postgres;
use tidegate_wire::{AssetId, Digest};

/// A database that lives as long as this value.
pub struct Database {
    pub options: DatabaseOptions,
    _folder: Option<TempDir>,
    pub postgres: Option<Arc<Postgres>>,
}

impl Database {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A folder that is not there yet, as on a first start.
        let path = folder.path().join("data/catalog.db");
        let options = DatabaseOptions::new(format!("sqlite://{}?mode=rwc", path.display()));
        Self { options, _folder: Some(folder), postgres: None }
    }

    pub fn postgres() -> Self {
        let postgres = Postgres::shared();
        let options = DatabaseOptions::new(postgres.database());
        Self { options, _folder: None, postgres: Some(postgres) }
    }

    pub async fn connect(&self) -> Catalog {
        Catalog::connect(&self.options).await.unwrap()
    }
}

/// Runs each of the named async functions, which take a [`Database`], on both engines.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() { super::$name($crate::support::Database::sqlite()).await; })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() { super::$name($crate::support::Database::postgres()).await; })*
        }
    };
}

pub fn asset_id(n: u8) -> AssetId {
    AssetId::generate(1_700_000_000_000 + u64::from(n), [n; 10])
}

pub fn new_account(name: &str) -> accounts::NewAccount {
    let account = Account {
        id: AccountId::new(format!("account-{name}")),
        username: name.to_owned(),
        email: format!("{name}@example.org"),
        role: Role::Uploader,
        quota_bytes: None,
        disabled: false,
        created_at: 5,
    };
    accounts::NewAccount { account, password_hash: format!("hash of {name}") }
}

pub fn new_asset(id: AssetId, owner: Option<AccountId>) -> NewAsset {
    NewAsset {
        id,
        owner,
        name: "holiday.mp4".to_owned(),
        size_bytes: 12_345_678_901,
        digest: Digest::from_bytes([7; 32]),
        sha256: None,
        content_type: "video/mp4".to_owned(),
        visibility: Visibility::Private,
        segments: "[]".to_owned(),
        created_at: 1_700_000_000_123,
        about: About::default(),
    }
}

pub async fn add_account(catalog: &Catalog, name: &str) -> AccountId {
    let new = new_account(name);
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(accounts::insert(&mut tx, &new).await.unwrap(), accounts::Inserted::Yes);
    tx.commit().await.unwrap();
    new.account.id
}
