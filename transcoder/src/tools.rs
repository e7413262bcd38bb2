//! The ffmpeg and ffprobe of this machine, and what they can do.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::limits;
use crate::process::{self, Allowance};

/// Tools that work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// ffmpeg.
    pub ffmpeg: PathBuf,
    /// ffprobe.
    pub ffprobe: PathBuf,
    /// What ffmpeg calls its version.
    pub version: String,
    /// Whether pictures of high dynamic range can be tone-mapped (`zscale`, `tonemap`); they look pale otherwise.
    pub tone_mapping: bool,
}

/// Why there are no tools. The text says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolsError {
    /// It cannot be run.
    #[error("{0} cannot be run ({1}): install ffmpeg, or say where it is with --ffmpeg and --ffprobe")]
    Missing(PathBuf, String),
    /// It is too old.
    #[error("ffmpeg {0} is too old: 5.1 or later is needed")]
    TooOld(String),
    /// It was built without something.
    #[error("this ffmpeg has no {0}: a build with libx264 and its own AAC encoder is needed")]
    Lacks(&'static str),
}

/// Looks for the tools and asks them what they can do. `None` takes the one in PATH.
///
/// # Errors
/// When videos cannot be made with what is there; the reason says why.
pub async fn find(ffmpeg: Option<&Path>, ffprobe: Option<&Path>) -> Result<Tools, ToolsError> {
    let ffmpeg = ffmpeg.unwrap_or(Path::new("ffmpeg")).to_owned();
    let ffprobe = ffprobe.unwrap_or(Path::new("ffprobe")).to_owned();
    let version = version(&ask(&ffmpeg, &["-version"]).await?);
    ask(&ffprobe, &["-version"]).await?;
    if is_old(&version) {
        return Err(ToolsError::TooOld(version));
    }
    let encoders = ask(&ffmpeg, &["-hide_banner", "-encoders"]).await?;
    for encoder in ["libx264", "aac", "webvtt", "mjpeg"] {
        if !has(&encoders, encoder) {
            return Err(ToolsError::Lacks(encoder));
        }
    }
    let filters = ask(&ffmpeg, &["-hide_banner", "-filters"]).await?;
    let tone_mapping = has(&filters, "zscale") && has(&filters, "tonemap");
    Ok(Tools { ffmpeg, ffprobe, version, tone_mapping })
}

async fn ask(program: &Path, arguments: &[&str]) -> Result<String, ToolsError> {
    let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
    let missing = |why: String| ToolsError::Missing(program.to_owned(), why);
    let (time, bytes) = (limits::TOOL_TIME, limits::TOOL_OUTPUT_BYTES);
    let said = process::output(program, &arguments, Allowance::PROBE, time, bytes, Vec::new()).await;
    let (exit, said) = said.map_err(|error| missing(error.to_string()))?;
    if !exit.status.success() {
        return Err(missing(exit.status.to_string()));
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// The third word of `ffmpeg version 5.1.9-0+deb12u1 Copyright …`.
fn version(said: &str) -> String {
    said.split_whitespace().nth(2).unwrap_or_default().to_owned()
}

/// Whether it is a release before 5.1. Builds from a repository (`N-109…`, `git-…`) are taken for new.
fn is_old(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('n').split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (5, 1),
        (Some(Ok(major)), _) => major < 6,
        _ => false,
    }
}

/// Whether a list of encoders or filters has `name` as its second word.
fn has(list: &str, name: &str) -> bool {
    list.lines().any(|line| line.split_whitespace().nth(1) == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        assert_eq!(version("ffmpeg version 5.1.9-0+deb12u1 Copyright (c)"), "5.1.9-0+deb12u1");
        for (text, old) in [
            ("5.1.9-0+deb12u1", false),
            ("5.0.1", true),
            ("4.4.2-0ubuntu", true),
            ("n7.1", false),
            ("7.0", false),
            ("8-static", false),
            ("N-109876-gabc", false),
            ("git-2024", false),
        ] {
            assert_eq!(is_old(text), old, "{text}");
        }
    }

    #[tokio::test]
    async fn tools_that_are_not_there_are_named_with_the_reason() {
        let error = find(Some(Path::new("/nowhere/ffmpeg")), None).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/ffmpeg") && error.to_string().contains("--ffmpeg"));
        let error = find(Some(Path::new("/bin/false")), None).await.unwrap_err();
        assert!(matches!(error, ToolsError::Missing(..)), "{error}");
    }

    #[tokio::test]
    async fn the_tools_of_this_machine_are_found() {
        let tools = find(None, None).await.unwrap();
        assert!(!tools.version.is_empty());
    }
}
