//! What an operator can set: every field is a flag and an environment variable.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use tidegate_serve::listen::ListenOptions;
use tidegate_wire::ByteSize;

use crate::access::Role;
use crate::catalog::SqliteSynchronous;
use crate::jobs::plan::Ladder;
use crate::limits;
use crate::rates::Rate;
use crate::store::{DirectWrites, Durability};

/// A text that must not show up in logs or in `--help`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SignUp {
    /// Anyone.
    #[default]
    Open,
    /// Only an administrator.
    Closed,
}

/// Where the catalogue is.
#[derive(Debug, Clone, Args)]
pub struct DatabaseOptions {
    /// Database of the catalogue: postgres://USER:PASSWORD@HOST/NAME or sqlite://PATH?mode=rwc.
    #[arg(
        long,
        env = "DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://data/catalog.db?mode=rwc",
        hide_env_values = true
    )]
    pub database_url: String,
    /// Most connections to the database at once (SQLite: never more than 4).
    #[arg(
        long,
        env = "TIDEGATE_DATABASE_CONNECTIONS",
        value_name = "CONNECTIONS",
        default_value_t = limits::CATALOG_CONNECTIONS,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub database_connections: u32,
    /// SQLite only: when a transaction counts as committed. `normal` can lose the last ones in a power cut.
    #[arg(long, env = "TIDEGATE_SQLITE_SYNCHRONOUS", value_name = "MODE", default_value = "full")]
    pub sqlite_synchronous: SqliteSynchronous,
}

impl DatabaseOptions {
    /// A database with the other settings at their defaults.
    pub fn new(database_url: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            database_connections: limits::CATALOG_CONNECTIONS,
            sqlite_synchronous: SqliteSynchronous::default(),
        }
    }
}

/// What a new account is for. Administrators are made by administrators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SignUpRole {
    /// It may upload.
    #[default]
    Uploader,
    /// It may watch what others let it.
    Viewer,
}

impl From<SignUpRole> for Role {
    fn from(role: SignUpRole) -> Self {
        match role {
            SignUpRole::Uploader => Self::Uploader,
            SignUpRole::Viewer => Self::Viewer,
        }
    }
}

/// Accounts, and how often they may ask. A rate is COUNT/TIME with s, m or h, `300/10s`, or `off`: so many at once,
/// and as many again as time goes by. It holds for an account, or without one for a client's address, an IPv6 /64 in
/// one, at each origin.
#[derive(Debug, Clone, Args)]
pub struct AccountOptions {
    /// What a new account is for.
    #[arg(long, env = "TIDEGATE_SIGNUP_ROLE", value_name = "ROLE", default_value = "uploader")]
    pub signup_role: SignUpRole,
    /// The most bytes a new account may have, assets and uploads in progress together; no limit when not given.
    #[arg(long, env = "TIDEGATE_DEFAULT_QUOTA", value_name = "SIZE")]
    pub default_quota: Option<ByteSize>,
    /// Rate of requests to the API.
    #[arg(long, env = "TIDEGATE_RATE_API", value_name = "RATE", default_value = Rate::API)]
    pub rate_api: Rate,
    /// Rate of log-ins and changes of passwords. Wrong passwords are slowed beside it.
    #[arg(long, env = "TIDEGATE_RATE_LOG_IN", value_name = "RATE", default_value = Rate::LOG_IN)]
    pub rate_log_in: Rate,
    /// Rate of sign-ups.
    #[arg(long, env = "TIDEGATE_RATE_SIGN_UP", value_name = "RATE", default_value = Rate::SIGN_UP)]
    pub rate_sign_up: Rate,
    /// Rate of password resets asked for.
    #[arg(long, env = "TIDEGATE_RATE_RESET", value_name = "RATE", default_value = Rate::RESET)]
    pub rate_reset: Rate,
    /// Rate of uploads begun, parts counted too. [default: 1000/1m, and `off` with --anonymous-uploads]
    #[arg(long, env = "TIDEGATE_RATE_UPLOAD", value_name = "RATE")]
    pub rate_upload: Option<Rate>,
}

impl Default for AccountOptions {
    fn default() -> Self {
        let rate = |text: &str| text.parse().unwrap_or(Rate::OFF);
        Self {
            signup_role: SignUpRole::default(),
            default_quota: None,
            rate_api: rate(Rate::API),
            rate_log_in: rate(Rate::LOG_IN),
            rate_sign_up: rate(Rate::SIGN_UP),
            rate_reset: rate(Rate::RESET),
            rate_upload: None,
        }
    }
}

/// Settings of an origin.
#[derive(Debug, Clone, Args)]
pub struct OriginConfig {
    /// Public address and port.
    #[arg(long, env = "TIDEGATE_LISTEN", value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address and port of /metrics, /healthz and /readyz; not served when not given.
    #[arg(long, env = "TIDEGATE_ADMIN_LISTEN", value_name = "ADDR:PORT")]
    pub admin_listen: Option<SocketAddr>,
    /// How the public port listens.
    #[command(flatten)]
    pub listening: ListenOptions,
    /// The catalogue.
    #[command(flatten)]
    pub database: DatabaseOptions,
    /// Redis for leases, hot offsets and wake-ups; needed as soon as there are two origins. Without it
    /// they are kept in this process.
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Where the bytes of uploads are kept: file:///DIR (file://DIR is below the working directory).
    #[arg(long, env = "TIDEGATE_STORE", value_name = "URL", default_value = "file://data/blobs")]
    pub store: String,
    /// When an offset is acknowledged: bytes on the disk (`durable`), or with the kernel (`relaxed`: a power cut or
    /// a kernel crash can lose what was acknowledged; a killed process cannot).
    #[arg(long, env = "TIDEGATE_DURABILITY", value_name = "MODE", default_value = "durable")]
    pub durability: Durability,
    /// How the bytes of fast uploads get to the disk: past the page cache where the file system takes that (`auto`),
    /// or through it (`off`).
    #[arg(long, env = "TIDEGATE_DIRECT_WRITES", value_name = "MODE", default_value = "auto")]
    pub direct_writes: DirectWrites,
    /// The largest upload taken.
    #[arg(long, env = "TIDEGATE_MAX_UPLOAD", value_name = "SIZE", default_value_t = ByteSize(limits::MAX_UPLOAD_BYTES))]
    pub max_upload: ByteSize,
    /// Days after which an unfinished upload, or a part, that nobody has written to is given up and its bytes removed.
    #[arg(long, env = "TIDEGATE_UPLOAD_EXPIRY_DAYS", value_name = "DAYS", default_value_t = limits::UPLOAD_EXPIRY_DAYS, value_parser = clap::value_parser!(u32).range(1..))]
    pub upload_expiry_days: u32,
    /// How long a deleted asset lies in the trash, from where it can be brought back: 90s, 30m, 1h, 7d; 0 removes it at
    /// once.
    #[arg(long, env = "TIDEGATE_TRASH", value_name = "TIME", default_value = "1h", value_parser = parse_span)]
    pub trash: Duration,
    /// Plays that one client address may begin in a minute.
    #[arg(long, env = "TIDEGATE_PLAYS_PER_MINUTE", value_name = "PLAYS", default_value_t = limits::PLAYS_PER_MINUTE)]
    pub plays_per_minute: u32,
    /// What videos are made into: LINES:RATE for each rung, from the lowest, in bits a second. A rung's lines are those
    /// of a box of 16 to 9, upright for upright video, that the picture fits into; nothing is scaled up.
    #[arg(long, env = "TIDEGATE_LADDER", value_name = "LADDER", default_value = Ladder::DEFAULT)]
    pub ladder: Ladder,
    /// libx264's preset that every rung is encoded with, from `ultrafast` to `veryslow`: how much time is given for fewer
    /// bits. It is the same for every worker, so that what they make fits together. [default: veryfast, and superfast
    /// above 480 lines]
    #[arg(long, env = "TIDEGATE_PRESET", value_name = "PRESET", value_parser = PRESETS)]
    pub preset: Option<String>,
    /// Seconds after which a worker that has not been heard of has lost its job.
    #[arg(long, env = "TIDEGATE_JOB_LEASE", value_name = "SECONDS", default_value_t = limits::JOB_LEASE_S, value_parser = clap::value_parser!(u32).range(2..=3600))]
    pub job_lease: u32,
    /// Base URL clients reach this origin under, when it is not the one they use in their requests: behind a proxy
    /// that ends TLS, for instance.
    #[arg(long, env = "TIDEGATE_PUBLIC_URL", value_name = "URL", value_parser = parse_public_url)]
    pub public_url: Option<String>,
    /// Addresses and networks of the proxies whose X-Forwarded-For is believed, separated by commas:
    /// 10.0.0.0/8,::1.
    #[arg(long, env = "TIDEGATE_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',')]
    pub trusted_proxies: Vec<tidegate_serve::client::Network>,
    /// Take uploads without authentication and make them `unlisted`: for benchmarks and trusted networks.
    #[arg(long, env = "TIDEGATE_ANONYMOUS_UPLOADS")]
    pub anonymous_uploads: bool,
    /// Who may make an account.
    #[arg(long, env = "TIDEGATE_SIGNUP", value_name = "WHO", default_value = "open")]
    pub signup: SignUp,
    /// Accounts and how often they may ask.
    #[command(flatten)]
    pub accounts: AccountOptions,
    /// Secret shared with edges and workers. Without it nothing below /internal/ is served.
    #[arg(long, env = "TIDEGATE_FLEET_KEY", value_name = "KEY", hide_env_values = true)]
    pub fleet_key: Option<Secret>,
    /// File with the fleet key.
    #[arg(long, env = "TIDEGATE_FLEET_KEY_FILE", value_name = "FILE", conflicts_with = "fleet_key")]
    pub fleet_key_file: Option<PathBuf>,
    /// Password of the account `admin` made on an empty catalogue; a random one that nobody knows when not given.
    #[arg(long, env = "TIDEGATE_ADMIN_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub admin_password: Option<Secret>,
    /// Write an API token of the account `admin` to this file (mode 0600) when that account is made.
    #[arg(long, env = "TIDEGATE_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,
    /// Write the password of the account `admin` to this file (mode 0600) when that account is made and none was given.
    #[arg(long, env = "TIDEGATE_ADMIN_PASSWORD_FILE", value_name = "FILE")]
    pub admin_password_file: Option<PathBuf>,
    /// What others are told.
    #[command(flatten)]
    pub telling: TellingOptions,
}

/// How others are told what happens.
#[derive(Debug, Clone, Args)]
pub struct TellingOptions {
    /// Server that mail is sent by: smtp://USER:PASSWORD@HOST:PORT, with ?tls=required or ?tls=opportunistic for
    /// STARTTLS, or smtps://USER:PASSWORD@HOST. Without it no mail is sent. Links in messages begin with --public-url.
    #[arg(long, env = "TIDEGATE_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<Secret>,
    /// Address that mail comes from: tide@example.org, or Tidegate <tide@example.org>.
    #[arg(long, env = "TIDEGATE_MAIL_FROM", value_name = "ADDRESS")]
    pub mail_from: Option<String>,
    /// Send to webhooks inside the network too: loopback, private and link-local addresses. Anyone with an account can
    /// then have this origin make requests to whatever it reaches.
    #[arg(long, env = "TIDEGATE_WEBHOOKS_ALLOW_PRIVATE")]
    pub webhooks_allow_private: bool,
    /// Seconds a webhook's receiver may take for its answer.
    #[arg(long, env = "TIDEGATE_WEBHOOK_TIMEOUT", value_name = "SECONDS", default_value_t = limits::WEBHOOK_TIMEOUT_S, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub webhook_timeout: u32,
    /// Seconds before a failed delivery is tried again; each further failure doubles them, up to six hours.
    #[arg(long, env = "TIDEGATE_WEBHOOK_PAUSE", value_name = "SECONDS", default_value_t = limits::WEBHOOK_PAUSE_S, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub webhook_pause: u32,
}

impl Default for TellingOptions {
    fn default() -> Self {
        Self {
            smtp_url: None,
            mail_from: None,
            webhooks_allow_private: false,
            webhook_timeout: limits::WEBHOOK_TIMEOUT_S,
            webhook_pause: limits::WEBHOOK_PAUSE_S,
        }
    }
}

impl OriginConfig {
    /// Every default, with the catalogue and the bytes below `data`. Reads no environment.
    pub fn embedded(data: &Path) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: None,
            listening: ListenOptions::default(),
            database: DatabaseOptions::new(format!(
                "sqlite://{}?mode=rwc",
                data.join("catalog.db").display()
            )),
            redis_url: None,
            store: format!("file://{}", data.join("blobs").display()),
            durability: Durability::default(),
            direct_writes: DirectWrites::default(),
            max_upload: ByteSize(limits::MAX_UPLOAD_BYTES),
            upload_expiry_days: limits::UPLOAD_EXPIRY_DAYS,
            trash: limits::TRASH_KEPT,
            plays_per_minute: limits::PLAYS_PER_MINUTE,
            ladder: Ladder::default(),
            preset: None,
            job_lease: limits::JOB_LEASE_S,
            public_url: None,
            trusted_proxies: Vec::new(),
            anonymous_uploads: false,
            signup: SignUp::Open,
            accounts: AccountOptions::default(),
            fleet_key: None,
            fleet_key_file: None,
            admin_password: None,
            admin_token_file: Some(data.join("admin.token")),
            admin_password_file: Some(data.join("admin.password")),
            telling: TellingOptions::default(),
        }
    }

    /// The fleet key, from wherever it was given.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn read_fleet_key(&self) -> std::io::Result<Option<Secret>> {
        let Some(path) = &self.fleet_key_file else {
            return Ok(self.fleet_key.clone());
        };
        let text = std::fs::read_to_string(path)?;
        Ok(Some(Secret::new(text.trim())))
    }

    /// Whether clients come over https, as far as the configuration says.
    pub fn is_https(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// A span of time: a whole number and `s`, `m`, `h` or `d`; `0` needs no unit.
///
/// # Errors
/// What a span of time looks like.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || "a span of time is a whole number and s, m, h or d, as in 90s or 1h; or 0".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => limits::DAY_MS / 1000,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

/// What libx264 has; slower than `veryslow` is of no use.
const PRESETS: [&str; 9] =
    ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"];

/// A base URL: scheme and authority, perhaps a path; without the slash at its end.
///
/// # Errors
/// Why it is none, in words for a person.
pub fn parse_public_url(text: &str) -> Result<String, String> {
    let uri: http::Uri = text.parse().map_err(|_| "not a URL".to_owned())?;
    let scheme_is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if !scheme_is_http || uri.authority().is_none() || uri.query().is_some() {
        return Err("a public URL is http:// or https:// with a host, and no query".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_have_a_unit() {
        for (text, seconds) in
            [("0", 0), ("0s", 0), ("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 604_800)]
        {
            assert_eq!(parse_span(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "h", "1", "1.5h", "-1h", "1w", "1 h", "1é", "99999999999d"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }
}
