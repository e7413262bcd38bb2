//! Mail: what people are told who have no page open.
//!
//! A message is written in the change that it tells of (`enqueue`), and sent right after (`post`). `letters` has the
//! texts, and is pure. Without a configured server nothing is written at all.

pub mod letters;
mod post;

pub use post::{Post, PostError, run, send_due};

use serde_json::Value;

use self::letters::Letter;
use crate::accounts::secret;
use crate::app::App;
use crate::catalog::events::Logged;
use crate::catalog::{CatalogError, Tx, mails};
use crate::events::Kind;
use crate::limits;

/// What an account may want mail about.
pub const TOPICS: [&str; 2] = ["ready", "failed"];

/// Whether mail is sent at all.
pub fn is_on(app: &App) -> bool {
    app.outgoing.post.is_some()
}

/// Writes a message in a change: it is sent if, and only if, the change is made. Without a configured server nothing is
/// written.
///
/// # Errors
/// When the catalogue fails.
pub async fn enqueue(app: &App, tx: &mut Tx, recipient: &str, letter: Letter) -> Result<(), CatalogError> {
    let id = secret::new_id(app.clock.unix_ms(), &app.entropy);
    enqueue_as(app, tx, &id, recipient, letter).await
}

/// Tells a person how to choose a new password. `token` is what [`crate::accounts`] will ask for; it is in the message
/// and, until that is sent, in the catalogue. It is not sent any more once it is of no use, `for_s` seconds from now.
///
/// # Errors
/// When the catalogue fails.
pub async fn enqueue_password_reset(
    app: &App,
    tx: &mut Tx,
    (username, recipient): (&str, &str),
    token: &str,
    for_s: u64,
) -> Result<(), CatalogError> {
    let link = format!("{}/reset#{token}", base_url(app));
    enqueue(app, tx, recipient, letters::password_reset(username, &link, for_s)).await
}

async fn enqueue_as(
    app: &App,
    tx: &mut Tx,
    id: &str,
    recipient: &str,
    letter: Letter,
) -> Result<(), CatalogError> {
    if !is_on(app) {
        return Ok(());
    }
    let now_ms = app.clock.unix_ms();
    let lasts_ms = letter.useful_for.unwrap_or(limits::MAIL_GIVE_UP).min(limits::MAIL_GIVE_UP).as_millis();
    let mail = mails::Mail {
        id: id.to_owned(),
        kind: letter.kind.to_owned(),
        recipient: recipient.to_owned(),
        subject: letter.subject,
        plain: letter.plain,
        html: letter.html,
        attempts: 0,
        give_up_at: now_ms.saturating_add(u64::try_from(lasts_ms).unwrap_or(u64::MAX)),
    };
    mails::insert(tx, &mail, now_ms).await
}

/// Tells the owner of a video that it is ready, or cannot be made, if it wants to know. Called in the change that numbers
/// the event, and once more for the same event it does nothing.
///
/// # Errors
/// When the catalogue fails.
pub async fn about_asset(app: &App, tx: &mut Tx, event: &Logged) -> Result<(), CatalogError> {
    let Some(account) = &event.account else { return Ok(()) };
    let is_ready = event.kind == Kind::AssetReady.as_str();
    let topic = if is_ready { TOPICS[0] } else { TOPICS[1] };
    let Some(address) = mails::address_in(tx, account, topic).await? else { return Ok(()) };
    let told: Value = serde_json::from_str(&event.body).unwrap_or_default();
    let name = told["data"]["name"].as_str().unwrap_or_default();
    let letter = if is_ready {
        letters::ready(name, &format!("{}/watch/{}", base_url(app), event.subject))
    } else {
        let why = told["data"]["error"]["message"].as_str().unwrap_or_default();
        letters::failed(name, why, &base_url(app))
    };
    enqueue_as(app, tx, &event.id, &address, letter).await
}

/// What links in messages begin with.
fn base_url(app: &App) -> String {
    app.config.public_url.clone().unwrap_or_else(|| format!("http://{}", app.config.listen))
}
