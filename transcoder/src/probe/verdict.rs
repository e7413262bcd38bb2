//! Why ffprobe refused a file, in codes a person can be told.

use tidegate_wire::job::Failure;

use crate::failure::Fault;
use crate::limits;
use crate::log::Log;
use crate::process::Exit;

/// Refuses pictures that would take the memory of the machine: a decoder says what it was asked for.
pub(super) fn size(log: &Log) -> Result<(), Fault> {
    let claimed = log.lines().find_map(|line| {
        let size = line.split_once("Picture size ")?.1.split_whitespace().next()?;
        let (width, height) = size.split_once('x')?;
        Some((width.parse().ok()?, height.parse().ok()?))
    });
    claimed.map_or(Ok(()), |(width, height)| pixels(width, height))
}

/// Refuses pictures that are too large.
pub(super) fn pixels(width: u64, height: u64) -> Result<(), Fault> {
    if width.max(height) > limits::SOURCE_EDGE || width.saturating_mul(height) > limits::SOURCE_PIXELS {
        let message = format!("The picture is too large: {width} × {height}.");
        return Err(Fault::permanent("source_too_large", &message));
    }
    Ok(())
}

/// What it means that ffprobe refused a file beginning with `head`.
pub(super) fn refused(exit: &Exit, head: &[u8]) -> Fault {
    use std::os::unix::process::ExitStatusExt as _;
    let fault = if exit.log.says("Cannot allocate memory") {
        Fault::permanent("source_too_large", "Looking at the file takes more memory than is allowed.")
    } else if exit.status.signal().is_some() {
        Fault::transient("probe_died", "Looking at the file was interrupted.")
    } else if exit.log.says("not on whitelist") || !looks_like_media(head) {
        Fault::permanent("not_a_video", "The file is neither video nor sound.")
    } else {
        Fault::permanent("source_damaged", "The file is damaged or incomplete.")
    };
    match fault {
        Fault::Failed(failure) => Fault::Failed(Failure { log: exit.log.text(), ..failure }),
        other => other,
    }
}

/// Whether a file begins as the containers do whose damage is worth telling from another kind of file.
fn looks_like_media(head: &[u8]) -> bool {
    const BOXES: [&[u8]; 8] = [b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"];
    let is = |magic: &[u8]| head.starts_with(magic);
    head.get(4..8).is_some_and(|kind| BOXES.contains(&kind))
        || is(b"\x1a\x45\xdf\xa3")
        || is(b"FLV\x01")
        || is(b"OggS")
        || is(b"fLaC")
        || is(b"\x30\x26\xb2\x75")
        || (is(b"RIFF") && matches!(head.get(8..12), Some(b"AVI " | b"WAVE")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_and_headers_look_like_media_and_text_does_not() {
        assert!(looks_like_media(b"\0\0\0\x20ftypisom"));
        assert!(looks_like_media(b"RIFF\0\0\0\0AVI "));
        assert!(!looks_like_media(b"RIFF\0\0\0\0WEBP"));
        for head in [b"#EXTM3U\n#EXT".as_slice(), b"hello world", b"\x89PNG\r\n\x1a\n", b"", b"abc"] {
            assert!(!looks_like_media(head));
        }
    }

    #[test]
    fn large_pictures_are_refused() {
        assert!(pixels(7680, 4320).is_ok());
        assert!(pixels(60_000, 60_000).is_err());
        assert!(pixels(60_000, 1).is_err());
        assert!(pixels(u64::MAX, u64::MAX).is_err());
    }
}
