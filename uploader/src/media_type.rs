//! A media type from a file's name. The server looks at the content itself; this is a hint.

use std::path::Path;

const BY_EXTENSION: &[(&str, &str)] = &[
    ("3gp", "video/3gpp"),
    ("avi", "video/x-msvideo"),
    ("flv", "video/x-flv"),
    ("m2ts", "video/mp2t"),
    ("m4v", "video/x-m4v"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpeg"),
    ("mts", "video/mp2t"),
    ("mxf", "application/mxf"),
    ("ogv", "video/ogg"),
    ("ts", "video/mp2t"),
    ("webm", "video/webm"),
    ("wmv", "video/x-ms-wmv"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("m4a", "audio/mp4"),
    ("mp3", "audio/mpeg"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("wav", "audio/wav"),
    ("avif", "image/avif"),
    ("gif", "image/gif"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("png", "image/png"),
    ("webp", "image/webp"),
    ("json", "application/json"),
    ("pdf", "application/pdf"),
    ("srt", "application/x-subrip"),
    ("txt", "text/plain"),
    ("vtt", "text/vtt"),
    ("zip", "application/zip"),
];

/// The media type the extension stands for, or the one for plain bytes.
pub(crate) fn of(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let known = BY_EXTENSION.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known));
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_known_in_any_case() {
        assert_eq!(of(Path::new("/a/b.MP4")), "video/mp4");
        assert_eq!(of(Path::new("b.tar.zip")), "application/zip");
        assert_eq!(of(Path::new("mp4")), "application/octet-stream");
    }
}
