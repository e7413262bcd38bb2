//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use tidegate_wire::ByteSize;

use crate::error::UploadError;
use crate::token::Token;
use crate::uploader::UploadOptions;
use crate::{journal, limits};

const EXIT_CODES: &str = "\
Exit codes (with several files the highest one wins):
    0  every file is uploaded
    1  unexpected, or another process is uploading the same file
    2  the command line is wrong
    3  authentication or permission is missing, or the certificate is not trusted
    4  the server refuses the file (too large, …) or is not a tus server
    5  a file is missing, unreadable, not a regular file, or changed while it was uploaded
    6  gave up after --give-up-after without progress
    7  the server's digest of the file differs
    8  uploaded, and cannot be played (--wait)
  130  interrupted; the same command goes on where it was

An upload that was interrupted, by whatever, is continued by the same command: its state is in the journal.";

/// Uploads files to a Tidegate server (or any tus 1.0 server) and survives the network: it goes on after every
/// failure that can heal, where the server says the file stands.
#[derive(Debug, Parser)]
#[command(name = "tidegate-upload", version, after_help = EXIT_CODES)]
pub struct Config {
    /// Files to upload, one after the other.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Where to: the server's base (http://host:8080) or its creation endpoint (http://host:8080/files).
    #[arg(long, value_name = "URL", env = "TIDEGATE_TO")]
    pub to: String,

    /// API token. Other users of this machine can read command lines: prefer --token-file or the environment.
    #[arg(
        long,
        value_name = "T",
        env = "TIDEGATE_TOKEN",
        hide_env_values = true,
        conflicts_with = "token_file"
    )]
    pub token: Option<String>,

    /// File that holds the API token.
    #[arg(long, value_name = "F", env = "TIDEGATE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,

    /// Parts of a file sent at once, 1 to 32, each over its own connection; the server joins them.
    #[arg(long, value_name = "N", env = "TIDEGATE_PARALLEL", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=32))]
    pub parallel: u8,

    /// Most bytes in one request (8MiB, 500kB). The default sends all that is left in one request; smaller is for
    /// proxies that limit bodies.
    #[arg(long, value_name = "SIZE", env = "TIDEGATE_CHUNK")]
    pub chunk: Option<ByteSize>,

    /// Most bytes per second, over all parts (5MB/s, 500KiB/s), at least 1KiB/s. The default is no limit.
    #[arg(long, value_name = "RATE", env = "TIDEGATE_LIMIT_RATE")]
    pub limit_rate: Option<Rate>,

    /// One JSON object a line on standard output: created, resumed, progress, retry, warning, finished,
    /// processing, playable, failed.
    #[arg(long, env = "TIDEGATE_JSON")]
    pub json: bool,

    /// The name the server is told, instead of the file's; for one file.
    #[arg(long, value_name = "NAME", env = "TIDEGATE_NAME")]
    pub name: Option<String>,

    /// Have what is made of a video for playing encrypted (HLS AES-128): the key goes to who may watch it. The uploaded
    /// file stays as it is.
    #[arg(long, env = "TIDEGATE_ENCRYPT")]
    pub encrypt: bool,

    /// Return only when what was uploaded can be played, and fail if it cannot be: videos play as soon as their lowest
    /// rung is there. Takes a token. --give-up-after counts time without progress here too.
    #[arg(long, env = "TIDEGATE_WAIT")]
    pub wait: bool,

    /// Directory of the journals [default: $XDG_STATE_HOME/tidegate/uploads or ~/.local/state/tidegate/uploads].
    #[arg(long, value_name = "DIR", env = "TIDEGATE_JOURNAL")]
    pub journal: Option<PathBuf>,

    /// Give a file up after this time without progress (90s, 10m, 2h). The default is never.
    #[arg(long, value_name = "DURATION", env = "TIDEGATE_GIVE_UP_AFTER")]
    pub give_up_after: Option<Span>,

    /// Count a connection as broken when nothing moves for this long (90s, 2m).
    #[arg(long, value_name = "DURATION", env = "TIDEGATE_STALL_TIMEOUT", default_value = "60s")]
    pub stall_timeout: Span,

    /// PEM file of CA certificates to trust besides the system's.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CA_CERT")]
    pub ca_cert: Option<PathBuf>,
}

impl Config {
    /// Reads the files the options name and checks what goes together. Blocks.
    ///
    /// # Errors
    /// [`UploadError::Usage`].
    pub fn options(&self) -> Result<UploadOptions, UploadError> {
        let usage = |text: &str| Err(UploadError::Usage(text.to_owned()));
        if self.name.is_some() && self.files.len() > 1 {
            return usage("--name is for one file");
        }
        if self.chunk == Some(ByteSize(0)) {
            return usage("--chunk has at least one byte");
        }
        if self.stall_timeout.0 < limits::MIN_STALL_TIMEOUT {
            return usage("--stall-timeout is at least 1s");
        }
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => Some(Token::new(token)?),
            (None, Some(file)) => Some(Token::read(file)?),
            (None, None) => None,
        };
        if self.wait && token.is_none() {
            return usage("--wait takes a token: the server tells how far a video is to its owner");
        }
        Ok(UploadOptions {
            token,
            parallel: usize::from(self.parallel),
            chunk: self.chunk.map(|chunk| chunk.0),
            limit_rate: self.limit_rate.map(|rate| rate.0),
            journal: self.journal.clone().or_else(journal::default_dir),
            give_up_after: self.give_up_after.map(|span| span.0),
            stall: self.stall_timeout.0,
            name: self.name.clone(),
            encrypt: self.encrypt,
            ca_certificates: self.ca_cert.as_deref().map(read_certificates).transpose()?,
            ..UploadOptions::new(self.to.clone())
        })
    }
}

fn read_certificates(path: &std::path::Path) -> Result<Vec<u8>, UploadError> {
    let usage = |why: String| UploadError::Usage(format!("cannot use --ca-cert {}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| usage(error.to_string()))?.len();
    if size > limits::CA_FILE_MAX {
        return Err(usage(format!("it has {size} bytes")));
    }
    let pem = std::fs::read(path).map_err(|error| usage(error.to_string()))?;
    if !pem.windows(11).any(|window| window == b"-----BEGIN ") {
        return Err(usage("it holds no PEM certificate".to_owned()));
    }
    Ok(pem)
}

/// Bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(u64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = text.trim().strip_suffix("/s").unwrap_or(text);
        let rate: ByteSize = size.parse().map_err(|_| "a rate is like 5MB/s or 500KiB/s".to_owned())?;
        if rate.0 < limits::RATE_MIN {
            return Err("a rate is at least 1KiB/s".to_owned());
        }
        Ok(Self(rate.0))
    }
}

/// A length of time: whole seconds, minutes or hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a duration is a whole number with s, m or h (90s, 10m, 2h)".to_owned();
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let seconds = match &text[digits..] {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(wrong()),
        };
        // A hundred years is as good as more, and keeps clocks from overflowing.
        let most = 100 * 366 * 24 * 3600;
        Ok(Self(Duration::from_secs(number.saturating_mul(seconds).min(most))))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn config(args: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from([&["tidegate-upload", "--to", "http://h"], args].concat())
    }

    #[test]
    fn the_command_is_well_formed_and_documents_its_exit_codes() {
        Config::command().debug_assert();
        let help = Config::command().render_long_help().to_string();
        for text in ["Exit codes", "130", "TIDEGATE_TOKEN_FILE", "default: 60s", "--token-file"] {
            assert!(help.contains(text), "{text}");
        }
    }

    #[test]
    fn rates_and_times_are_read_with_their_units() {
        assert_eq!("5MB/s".parse(), Ok(Rate(5_000_000)));
        assert_eq!("500KiB/s".parse(), Ok(Rate(512_000)));
        assert_eq!("1MiB".parse(), Ok(Rate(1 << 20)));
        for text in ["", "fast", "5MB/m", "10B/s", "-1MB/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert_eq!("90".parse(), Ok(Span(Duration::from_secs(90))));
        assert_eq!("2h".parse(), Ok(Span(Duration::from_secs(7200))));
        for text in ["", "h", "1d", "1.5h", "-1s"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn options_that_do_not_go_together_are_usage_errors() {
        assert!(config(&[]).is_err());
        assert!(config(&["f", "--parallel", "33"]).is_err());
        assert!(config(&["f", "--token", "a", "--token-file", "b"]).is_err());
        let code = |args: &[&str]| config(args).unwrap().options().unwrap_err().code();
        assert_eq!(code(&["a", "b", "--name", "x"]), "usage");
        assert_eq!(code(&["a", "--chunk", "0"]), "usage");
        assert_eq!(code(&["a", "--token-file", "/does/not/exist"]), "usage");
        assert_eq!(code(&["a", "--ca-cert", "/dev/null"]), "usage");
        assert_eq!(code(&["a", "--wait"]), "usage");
    }
}
