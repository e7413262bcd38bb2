//! Uploads the files of a command line.

use crate::cli::config::Config;
use crate::cli::console::Console;
use crate::error::{ExitCode, UploadError};
use crate::target::Target;
use crate::uploader::{UploadOptions, Uploader};

/// Uploads one file after the other; one that fails does not stop the others. Returns the highest exit code.
/// An interrupt ends the file under way, keeps its journal, and leaves the rest.
pub async fn run(config: Config) -> ExitCode {
    let mut console = Console::new(config.json);
    let uploader = match prepare(&config, &console) {
        Ok(uploader) => uploader,
        Err(error) => {
            console.note(&format!("tidegate-upload: {error}"));
            return error.exit_code();
        }
    };
    let mut interrupt = std::pin::pin!(interrupted());
    let mut worst = ExitCode::Uploaded;
    let mut uploaded = Vec::new();
    for file in &config.files {
        tokio::select! {
            biased;
            () = &mut interrupt => {
                console.note("interrupted; the same command goes on where it was");
                return ExitCode::Interrupted;
            }
            result = uploader.upload(file, &mut console) => {
                match result {
                    Ok(finished) => uploaded.push(finished),
                    Err(error) => worst = worst.max(error.exit_code()),
                }
            }
        }
    }
    // All are on their way by now: one may be made while another is waited for.
    for finished in uploaded.iter().filter(|_| config.wait) {
        tokio::select! {
            biased;
            () = &mut interrupt => {
                console.note("interrupted; what was uploaded is there, and goes on being made");
                return ExitCode::Interrupted;
            }
            result = uploader.wait(finished, &mut console) => {
                worst = worst.max(result.err().map_or(ExitCode::Uploaded, |error| error.exit_code()));
            }
        }
    }
    worst
}

fn prepare(config: &Config, console: &Console) -> Result<Uploader, UploadError> {
    let options: UploadOptions = config.options()?;
    let target = Target::parse(&options.to)?;
    if options.token.is_some() && !target.is_https() && !target.is_loopback() {
        console.note("warning: the token travels in the clear; use an https:// address where there is one");
    }
    Uploader::new(options)
}

/// The first SIGINT or SIGTERM. When neither can be listened to, the system's default ends the process, which the
/// journal survives as well.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
}
