//! `tidegate-edge`: configuration, telemetry, and the library.

use std::thread::available_parallelism;

use anyhow::Context as _;
use clap::Parser as _;
use tidegate_edge::{Cli, Edge};
use tidegate_serve::{Clock, Entropy, listen, signals, telemetry};
use tokio::runtime::Builder;

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    telemetry::init(cli.log_format);
    // On one core a scheduler of several threads only costs.
    let mut builder = match available_parallelism() {
        Ok(cores) if cores.get() > 1 => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    builder.enable_all().build()?.block_on(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let shutdown = signals::shutdown_token();
    let edge = Edge::new(cli.edge, Clock::system(), Entropy::system())?;
    let listener = listen::bind(cli.listen, &cli.listening)
        .with_context(|| format!("cannot listen on {}", cli.listen))?;
    let bind_admin = |address| {
        listen::bind(address, &Default::default()).with_context(|| format!("cannot listen on {address}"))
    };
    let admin = cli.admin_listen.map(bind_admin).transpose()?;
    Ok(edge.run(listener, admin, shutdown).await?)
}
