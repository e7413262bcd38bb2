//! Sending messages that are due, and keeping the record.

use std::sync::Arc;
use std::time::Duration;

use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::{AsyncTransport as _, Message, Tokio1Executor};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::catalog::CatalogError;
use crate::catalog::mails::{self, Mail};
use crate::config::TellingOptions;
use crate::limits;
use crate::webhooks::pause;

/// The mail server, and in whose name it is sent.
pub struct Post {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why mail cannot be set up. The server's address is not shown: there may be a password in it.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Not an address of a mail server.
    #[error(
        "--smtp-url is smtp://USER:PASSWORD@HOST:PORT, with ?tls=required or ?tls=opportunistic, or smtps://…"
    )]
    Url,
    /// A server without a sender.
    #[error("--smtp-url takes --mail-from: the address that messages come from")]
    NoSender,
    /// Not an address of a sender.
    #[error("--mail-from is an address, or NAME <ADDRESS>")]
    Sender,
}

impl Post {
    /// Reads the configuration; `None` where no server is configured. Nothing is connected to yet.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn new(options: &TellingOptions) -> Result<Option<Self>, PostError> {
        let Some(url) = &options.smtp_url else { return Ok(None) };
        // An error says that the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.reveal());
        let transport = transport.map_err(|_| PostError::Url)?.timeout(Some(limits::MAIL_TIMEOUT)).build();
        let from = options.mail_from.as_deref().ok_or(PostError::NoSender)?;
        Ok(Some(Self { transport, from: from.parse().map_err(|_| PostError::Sender)? }))
    }

    /// Sends one message. `Err` says what went wrong, and whether trying again is of no use.
    async fn send(&self, mail: &Mail) -> Result<(), (String, bool)> {
        let unusable = |text: &str| (text.to_owned(), true);
        let to: Mailbox =
            mail.recipient.parse().map_err(|_| unusable("The address cannot be written to."))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.clone())
            // One that comes twice is known by its id.
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .multipart(MultiPart::alternative_plain_html(mail.plain.clone(), mail.html.clone()))
            .map_err(|_| unusable("The message cannot be written."))?;
        match timeout(limits::MAIL_TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                // Authentication that is refused is set right by an operator, not by giving the message up.
                let is_final = error.is_permanent() && error.status().is_none_or(|code| !is_access(code));
                let text = error.to_string();
                let seen = text.chars().filter(|c| !c.is_control());
                Err((seen.take(limits::OUTGOING_ERROR_CHARS).collect(), is_final))
            }
            Err(_) => Err(("The mail server did not answer in time.".to_owned(), false)),
        }
    }
}

/// 530, 534, 535, 538: the server does not accept who we are (RFC 4954 section 6).
fn is_access(code: lettre::transport::smtp::response::Code) -> bool {
    matches!(code.to_string().as_str(), "530" | "534" | "535" | "538")
}

/// Sends until the origin stops.
pub async fn run(app: &Arc<App>) {
    if app.outgoing.post.is_none() {
        return;
    }
    while !app.shutdown.is_cancelled() {
        if let Err(error) = send_due(app).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "mails.not_found");
            sleep(limits::OUTGOING_RECHECK_MOST).await;
        }
        let wait = wait(app).await;
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = app.outgoing.mail.notified() => {}
            () = sleep(wait) => {}
        }
    }
}

async fn wait(app: &App) -> Duration {
    let most = limits::OUTGOING_RECHECK_MOST;
    match mails::next_at(&app.catalog).await {
        Ok(Some(next)) => Duration::from_millis(next.saturating_sub(app.clock.unix_ms()))
            .clamp(limits::OUTGOING_RECHECK_LEAST, most),
        Ok(None) | Err(_) => most,
    }
}

/// Sends what is due now, and waits for it; says how many messages those were.
///
/// # Errors
/// When the catalogue fails.
pub async fn send_due(app: &Arc<App>) -> Result<usize, CatalogError> {
    let now_ms = app.clock.unix_ms();
    let lease = limits::MAIL_TIMEOUT + limits::MAIL_LEASE_MARGIN;
    let lease_until = now_ms.saturating_add(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX));
    let mut tasks = JoinSet::new();
    for mail in mails::due(&app.catalog, now_ms, limits::MAILS_AT_ONCE).await? {
        if mails::claim(&app.catalog, &mail, now_ms, lease_until).await? {
            let app = app.clone();
            tasks.spawn(async move { attempt(&app, &mail).await });
        }
    }
    let many = tasks.len();
    while let Some(ended) = tasks.join_next().await {
        if let Ok(Err(error)) = ended {
            return Err(error);
        }
    }
    Ok(many)
}

async fn attempt(app: &App, mail: &Mail) -> Result<(), CatalogError> {
    let Some(post) = &app.outgoing.post else { return Ok(()) };
    let count = |outcome: &str| app.metrics.events.mails.with_label_values(&[outcome]).inc();
    let number = mail.attempts + 1;
    let (error, is_final) = match post.send(mail).await {
        Ok(()) => {
            count("sent");
            tracing::info!(mail.id = %mail.id, mail.kind = mail.kind, "mail.sent");
            return mails::sent(&app.catalog, mail).await;
        }
        Err(failure) => failure,
    };
    let now_ms = app.clock.unix_ms();
    let pause = pause::after(number, limits::MAIL_FIRST_PAUSE, limits::MAIL_LONGEST_PAUSE, &app.entropy);
    let again_at = now_ms.saturating_add(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    let again_at = (!is_final && again_at < mail.give_up_at).then_some(again_at);
    count(if again_at.is_some() { "again" } else { "given_up" });
    tracing::warn!(
        mail.id = %mail.id, mail.kind = mail.kind, attempt = number, error, given_up = again_at.is_none(), "mail.failed"
    );
    mails::failed(&app.catalog, mail, number, again_at, &error, now_ms).await
}
