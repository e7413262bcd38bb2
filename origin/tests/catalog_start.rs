//! Several origins that start at once on one database, and a database that goes away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;

use support::{Database, new_account};
use tidegate_origin::catalog::{Catalog, CatalogError, accounts};
use tidegate_origin::config::DatabaseOptions;
use tidegate_testkit::Postgres;
use tokio::sync::Barrier;

on_both_engines! {
    origins_that_start_at_once_migrate_once,
    a_second_start_finds_what_the_first_left,
    an_older_catalogue_keeps_its_administrators,
}

async fn origins_that_start_at_once_migrate_once(database: Database) {
    let together = Arc::new(Barrier::new(6));
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (together, options) = (together.clone(), database.options.clone());
        starts.spawn(async move {
            together.wait().await;
            let catalog = Catalog::connect(&options).await.unwrap();
            accounts::is_empty(&catalog).await.unwrap()
        });
    }
    assert!(starts.join_all().await.into_iter().all(|empty| empty));
}

async fn a_second_start_finds_what_the_first_left(database: Database) {
    let catalog = database.connect().await;
    support::add_account(&catalog, "ada").await;
    catalog.close().await;
    assert!(!accounts::is_empty(&database.connect().await).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_database_is_unavailable_and_comes_back_by_itself() {
    let postgres = Postgres::start();
    let catalog = Catalog::connect(&DatabaseOptions::new(postgres.database())).await.unwrap();
    support::add_account(&catalog, "ada").await;
    // A connection in the middle of a change when the server goes.
    let mut open = catalog.begin().await.unwrap();
    postgres.stop();
    let error = accounts::insert(&mut open, &new_account("bob")).await.unwrap_err();
    assert!(matches!(error, CatalogError::Unavailable(_)), "{error:?}");
    drop(open);
    let error = catalog.ping().await.unwrap_err();
    assert!(matches!(error, CatalogError::Unavailable(_)), "{error:?}");
    let error = accounts::find_by_login(&catalog, "ada").await.unwrap_err();
    assert!(matches!(error, CatalogError::Unavailable(_)), "{error:?}");

    postgres.start_again();
    assert!(accounts::find_by_login(&catalog, "ada").await.unwrap().is_some());
    assert!(accounts::find_by_login(&catalog, "bob").await.unwrap().is_none());

    postgres.kill();
    postgres.start_again();
    assert!(accounts::find_by_login(&catalog, "ada").await.unwrap().is_some());
}

#[tokio::test]
async fn another_kind_of_url_is_refused_at_once() {
    for url in ["mysql://localhost/x", "catalog.db", ""] {
        let error = Catalog::connect(&DatabaseOptions::new(url)).await.unwrap_err();
        assert!(matches!(error, CatalogError::Url), "{error:?}");
    }
}

/// As the version before roles left it.
async fn an_older_catalogue_keeps_its_administrators(database: Database) {
    use sqlx::migrate::{Migration, MigrationType, Migrator};
    use sqlx::{AnyConnection, Connection as _, SqlSafeStr as _};
    use tidegate_origin::access::Role;

    sqlx::any::install_default_drivers();
    if let Some(path) = database.options.database_url.strip_prefix("sqlite://") {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
    }
    let steps = [
        (1, "catalogue", include_str!("../migrations/0001_catalogue.sql")),
        (2, "video", include_str!("../migrations/0002_video.sql")),
    ];
    let step = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let migrator = Migrator::with_migrations(steps.into_iter().map(step).collect());
    let mut connection = AnyConnection::connect(&database.options.database_url).await.unwrap();
    migrator.run_direct(None, &mut connection, false).await.unwrap();
    for (name, is_admin) in [("root", 1_i64), ("ada", 0)] {
        sqlx::query(
            "INSERT INTO accounts (id, username, username_key, email, email_key, password_hash, is_admin, created_at)
             VALUES ($1, $1, $1, $2, $2, 'x', $3, 5)",
        )
        .bind(name)
        .bind(format!("{name}@example.org"))
        .bind(is_admin)
        .execute(&mut connection)
        .await
        .unwrap();
    }
    connection.close().await.unwrap();

    let catalog = database.connect().await;
    for (name, role) in [("root", Role::Admin), ("ada", Role::Uploader)] {
        let (account, _) = accounts::find_by_login(&catalog, name).await.unwrap().unwrap();
        assert_eq!((account.role, account.quota_bytes, account.disabled), (role, None, false), "{name}");
    }
}
