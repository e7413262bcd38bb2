//! The first start on an empty catalogue: an account `admin`, its password and a token for it.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidegate_serve::{Clock, Entropy};

use crate::access::Role;
use crate::accounts::secret;
use crate::app::{App, StartError};
use crate::catalog::accounts::{Account, AccountId, NewAccount};
use crate::catalog::tokens::{self, Token};
use crate::catalog::{Catalog, CatalogError, Tx, accounts};

/// The username of the first account.
pub const ADMIN: &str = "admin";

/// Randomness in its password, where none was given: short enough to be typed, too much to be guessed.
const FIRST_PASSWORD_BYTES: usize = 15;

/// Makes the account `admin` if there is no account at all, and writes its password and a token where the configuration says.
/// Of several origins that start at once on one catalogue one does it. A file that is there already belongs to
/// another catalogue and is replaced.
///
/// The file is written before the account is committed: a process that dies in between leaves an empty catalogue,
/// and the next start does all of it again.
///
/// # Errors
/// When the catalogue, argon2 or the file system fails.
pub async fn make_admin(app: &App) -> Result<(), StartError> {
    if !accounts::is_empty(&app.catalog).await? {
        return Ok(());
    }
    let password = match &app.config.admin_password {
        Some(password) => password.reveal().to_owned(),
        None => URL_SAFE_NO_PAD.encode(app.entropy.bytes::<FIRST_PASSWORD_BYTES>()),
    };
    let password_hash = app.passwords.hash(password.clone()).await.map_err(StartError::Password)?;
    let now_ms = app.clock.unix_ms();
    let account = Account {
        id: AccountId::new(secret::new_id(now_ms, &app.entropy)),
        username: ADMIN.to_owned(),
        email: "admin@localhost".to_owned(),
        role: Role::Admin,
        quota_bytes: None,
        disabled: false,
        created_at: now_ms,
    };
    let mut tx = app.catalog.begin().await?;
    if !accounts::insert_first(&mut tx, &NewAccount { account: account.clone(), password_hash }).await? {
        return Ok(());
    }
    if let (Some(path), None) = (&app.config.admin_password_file, &app.config.admin_password) {
        write_secret(path, &password)
            .map_err(|source| StartError::SecretFile { path: path.clone(), source })?;
    }
    let Some(path) = &app.config.admin_token_file else {
        tx.commit().await?;
        tracing::info!(username = ADMIN, hint = "tidegate-origin token", "account.admin_made");
        return Ok(());
    };
    let token = add_token(&mut tx, &app.clock, &app.entropy, &account.id, "first start").await?;
    write_secret(path, &token).map_err(|source| StartError::SecretFile { path: path.clone(), source })?;
    tx.commit().await?;
    tracing::info!(username = ADMIN, token.file = %path.display(), "account.admin_made");
    Ok(())
}

/// Makes a token for the account that logs in as `login`; `None` if there is no such account.
///
/// # Errors
/// When the catalogue fails.
pub async fn make_token(
    catalog: &Catalog,
    clock: &Clock,
    entropy: &Entropy,
    login: &str,
) -> Result<Option<String>, CatalogError> {
    let Some((account, _)) = accounts::find_by_login(catalog, login).await? else { return Ok(None) };
    let mut tx = catalog.begin().await?;
    let token = add_token(&mut tx, clock, entropy, &account.id, "made on the command line").await?;
    tx.commit().await?;
    Ok(Some(token))
}

async fn add_token(
    tx: &mut Tx,
    clock: &Clock,
    entropy: &Entropy,
    account: &AccountId,
    name: &str,
) -> Result<String, CatalogError> {
    let text = secret::new_token(entropy);
    let now_ms = clock.unix_ms();
    let token = Token {
        id: secret::new_id(now_ms, entropy),
        account_id: account.clone(),
        name: name.to_owned(),
        created_at: now_ms,
        last_used_at: None,
    };
    // The limit is for those who come through the API.
    tokens::insert(tx, &token, &secret::hash_hex(&text), u32::MAX).await?;
    Ok(text)
}

/// Writes `secret` and a newline, readable by its owner only from the first moment, whole or not at all.
fn write_secret(path: &Path, secret: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = Path::new(&name);
    match std::fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    std::fs::rename(new, path)
}
