//! The first start on an empty catalogue, by one origin or by several at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use serde_json::json;
use support::Database;
use support::api::{As, Origin, PASSWORD};
use tidegate_origin::accounts::first;
use tidegate_origin::app::{App, StartError};
use tidegate_origin::catalog::{accounts, keys};
use tidegate_origin::config::OriginConfig;
use tidegate_serve::{Clock, Entropy};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn the_first_start_makes_an_administrator_with_a_password_and_a_token() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let origin = Origin::start_in(folder.clone(), None, |config| config.admin_password = None).await;
    let file = folder.path().join("admin.token");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let catalog = std::fs::metadata(folder.path().join("catalog.db")).unwrap();
    assert_eq!(catalog.permissions().mode() & 0o777, 0o600, "password hashes and keys are in it");
    let admin = origin.admin();
    origin.get(&admin, "/api/v1/assets").await.expect(200);
    for password in ["", "admin", PASSWORD] {
        let credentials = json!({ "login": "admin", "password": password });
        origin.post(&As::Nobody, "/api/v1/sessions", credentials).await.expect(401);
    }

    let password_file = folder.path().join("admin.password");
    assert_eq!(std::fs::metadata(&password_file).unwrap().permissions().mode() & 0o777, 0o600);
    let password = std::fs::read_to_string(&password_file).unwrap();
    let credentials = json!({ "login": "admin", "password": password.trim() });
    origin.post(&As::Nobody, "/api/v1/sessions", credentials).await.expect(201);

    let token = std::fs::read_to_string(&file).unwrap();
    let again = Origin::start_in(folder, None, |_| {}).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), token, "a second start leaves it alone");
    again.get(&admin, "/api/v1/assets").await.expect(200);
}

#[tokio::test]
async fn a_first_start_that_fails_half_way_is_done_again_by_the_next() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut config = OriginConfig::embedded(folder.path());
    // A folder stands where the token is to be written.
    std::fs::create_dir_all(folder.path().join("admin.token/x")).unwrap();
    let start = |config| App::start(config, Clock::system(), Entropy::system(), CancellationToken::new());
    let error = start(config.clone()).await.err().unwrap();
    assert!(matches!(error, StartError::SecretFile { .. }), "{error:?}");
    config.admin_token_file = Some(folder.path().join("elsewhere/token"));
    start(config).await.unwrap();
    let origin = Origin::start_in(folder.clone(), None, |_| {}).await;
    let token = std::fs::read_to_string(folder.path().join("elsewhere/token")).unwrap();
    origin.get(&As::Token(token.trim().to_owned()), "/api/v1/assets").await.expect(200);
}

#[tokio::test]
async fn the_administrators_password_may_be_given() {
    let origin = Origin::start().await;
    let admin = origin.log_in("admin").await;
    origin.get(&admin, "/api/v1/assets").await.expect(200);
}

#[tokio::test]
async fn a_token_may_be_made_on_the_command_line() {
    let origin = Origin::start().await;
    let entropy = Entropy::system();
    let make =
        |login: &'static str| first::make_token(&origin.app.catalog, &origin.app.clock, &entropy, login);
    let token = make("admin").await.unwrap().unwrap();
    origin.get(&As::Token(token), "/api/v1/assets").await.expect(200);
    assert_eq!(make("nobody").await.unwrap(), None);
}

on_both_engines! { origins_that_start_at_once_make_one_administrator_and_one_key }

async fn origins_that_start_at_once_make_one_administrator_and_one_key(database: Database) {
    let folders: Vec<_> = (0..4).map(|_| Arc::new(tempfile::tempdir().unwrap())).collect();
    let mut starts = tokio::task::JoinSet::new();
    for folder in folders.clone() {
        let database = database.options.clone();
        starts.spawn(async move { Origin::start_in(folder, Some(&database), |_| {}).await });
    }
    let origins = starts.join_all().await;
    let with_token: Vec<_> =
        origins.iter().filter(|origin| origin.folder.path().join("admin.token").exists()).collect();
    assert_eq!(with_token.len(), 1);
    let admin = with_token[0].admin();
    let keys: Vec<_> = origins.iter().map(|origin| origin.app.grants.key_set()).collect();
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    for origin in &origins {
        origin.get(&admin, "/api/v1/assets").await.expect(200);
        assert!(accounts::find_by_login(&origin.app.catalog, "admin").await.unwrap().is_some());
        assert_eq!(keys::list(&origin.app.catalog).await.unwrap().len(), 1);
    }
}
