//! `tidegate-origin`: parse, start telemetry, call the library.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tidegate_origin::accounts::{first, recovery};
use tidegate_origin::catalog::Catalog;
use tidegate_origin::config::OriginConfig;
use tidegate_origin::grants::GrantKeys;
use tidegate_origin::server::Server;
use tidegate_serve::telemetry::LogFormat;
use tidegate_serve::{Clock, Entropy, signals, telemetry};

/// Takes uploads, keeps the catalogue, and serves bytes to edges.
#[derive(Parser)]
#[command(name = "tidegate-origin", version, arg_required_else_help = false)]
struct Arguments {
    #[command(flatten)]
    config: OriginConfig,
    /// How log lines look.
    #[arg(long, env = "TIDEGATE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Print a new API token of an account, for scripts and for a first look.
    Token {
        /// Username or email address of the account.
        #[arg(long, value_name = "LOGIN", default_value = first::ADMIN)]
        login: String,
    },
    /// Let someone in again who has lost the way.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Sign grants with a new key from now on. Grants of the old one go on until they expire.
    RotateGrantKey,
}

#[derive(Subcommand)]
enum AccountCommand {
    /// Print a new random password of an account; its sessions end.
    Password {
        /// Username or email address of the account.
        #[arg(long, value_name = "LOGIN", default_value = first::ADMIN)]
        login: String,
    },
    /// Make an account an administrator, and enable it.
    Admin {
        /// Username or email address of the account.
        #[arg(long, value_name = "LOGIN", default_value = first::ADMIN)]
        login: String,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { config, log_format, command } = Arguments::parse();
    telemetry::init(log_format);
    let Some(command) = command else {
        let server = Server::start(config, signals::shutdown_token()).await?;
        tracing::info!(address = %server.public_address()?, admin.address = ?server.admin_address()?, "origin.ready");
        server.run().await;
        return Ok(());
    };
    let catalog = Catalog::connect(&config.database).await?;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let line = match command {
        Command::Token { login } => first::make_token(&catalog, &clock, &entropy, &login)
            .await?
            .with_context(|| format!("there is no account {login}"))?,
        Command::Account(AccountCommand::Password { login }) => {
            recovery::new_password(&catalog, &clock, &entropy, &login).await?
        }
        Command::Account(AccountCommand::Admin { login }) => {
            recovery::make_admin(&catalog, &clock, &entropy, &login).await?;
            format!("{login} is an administrator")
        }
        Command::RotateGrantKey => GrantKeys::rotate(&catalog, &clock).await?,
    };
    catalog.close().await;
    #[allow(clippy::print_stdout, reason = "this is the command's result")]
    {
        println!("{line}");
    }
    Ok(())
}
