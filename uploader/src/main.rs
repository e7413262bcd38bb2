//! `tidegate-upload`: see `--help`.

use std::process::ExitCode;

use clap::Parser;
use tidegate_uploader::{cli, limits};

fn main() -> anyhow::Result<ExitCode> {
    let config = cli::Config::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(cli::run(config));
    // Readers of files may still be in a read; they hold nothing that needs an orderly end.
    runtime.shutdown_timeout(limits::SHUTDOWN);
    Ok(ExitCode::from(code as u8))
}
