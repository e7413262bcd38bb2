//! `tidegate-transcoder`: configuration, telemetry, and the library.

use anyhow::Context as _;
use clap::Parser as _;
use tidegate_serve::{Clock, Entropy, listen, signals, telemetry};
use tidegate_transcoder::{Cli, Worker};
use tokio::runtime::Builder;

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    telemetry::init(cli.log_format);
    Builder::new_multi_thread().enable_all().build()?.block_on(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let shutdown = signals::shutdown_token();
    let worker = Worker::new(cli.worker, Clock::system(), Entropy::system()).await?;
    let bind = |address| {
        listen::bind(address, &Default::default()).with_context(|| format!("cannot listen on {address}"))
    };
    let admin = cli.admin_listen.map(bind).transpose()?;
    worker.run(admin, shutdown).await;
    Ok(())
}
