//! `tidegate`: parse, start telemetry, call the library.

use clap::Parser as _;
use tidegate::AllInOne;
use tidegate::config::Arguments;
use tidegate_serve::{signals, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    telemetry::init(arguments.log_format);
    let tidegate = AllInOne::start(&arguments, signals::shutdown_token()).await?;
    #[allow(clippy::print_stdout, reason = "what a newcomer has to know, and scripts may read")]
    {
        println!("{}", tidegate.welcome());
    }
    tidegate.run().await;
    Ok(())
}
