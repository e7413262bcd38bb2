//! `/media/{asset}/{revision}/…`: segments and initialisation segments by the path they are stored under, and names at
//! the revision's root: published files, manifests that grow while there are none, and the key.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LINK};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tidegate_serve::select::Validators;
use tidegate_wire::digest::from_hex;
use tidegate_wire::{AssetId, ByteRange, Code, Digest, headers};

use super::content::{Content, serve};
use super::gate::{AS_A_DOCUMENT, Reader, authorise, is_owner};
use crate::app::App;
use crate::catalog::revisions::{self, RevisionId};
use crate::catalog::{Asset, Visibility, assets, published, tracks};
use crate::http::blob_body::Piece;
use crate::http::error::ApiError;
use crate::jobs::finish::KEY_NAME;
use crate::jobs::manifests;
use crate::store::{BlobStore, FileName, FilePath, FileReader, StoreError, StoredFile};

/// Answers for `path`, which is `/media/{asset}/{revision}/…` as it was sent.
pub(super) async fn read(
    app: &Arc<App>,
    parts: &Parts,
    path: &str,
    grant: Option<&str>,
) -> Result<Response, ApiError> {
    let mut names = path.strip_prefix("/media/").unwrap_or_default().splitn(3, '/');
    let id: AssetId = names.next().and_then(|id| id.parse().ok()).ok_or(Code::AssetNotFound)?;
    let asset = assets::get(&app.catalog, id).await?.ok_or(Code::AssetNotFound)?;
    let reader = authorise(app, parts, &asset, path, grant).await?;
    let number = names.next().and_then(revision_number).ok_or(Code::NotFound)?;
    let id = RevisionId { asset: id, number };
    let below: FilePath = names.next().and_then(|path| path.parse().ok()).ok_or(Code::NotFound)?;
    if below.as_str() == KEY_NAME {
        return key(app, parts, &asset, id, reader).await;
    }
    if below.names().nth(1).is_some() {
        let file = Packaged::open(app, id, below, &asset, reader).await?;
        return serve(app, parts, &file);
    }
    if let Some(stored) = published::get(&app.catalog, id, below.as_str()).await? {
        let stored = stored.parse().map_err(ApiError::internal)?;
        return serve(app, parts, &Packaged::open(app, id, stored, &asset, reader).await?);
    }
    let growing = manifests::growing(app, id, below.as_str()).await?.ok_or(Code::NotFound)?;
    serve(app, parts, &Growing::new(growing, &below, &asset, reader))
}

/// Only `1`, never `01` or `+1`: one thing has one address.
fn revision_number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

/// What manifests and segments are served as.
fn content_type(path: &FilePath) -> &'static str {
    let is_sound = path.names().nth(1).is_some_and(|track| track.starts_with('a'));
    match path.file_name().rsplit('.').next().unwrap_or_default() {
        "m3u8" => "application/vnd.apple.mpegurl",
        "mpd" => "application/dash+xml",
        "mp4" | "m4s" if is_sound => "audio/mp4",
        "mp4" | "m4s" => "video/mp4",
        "vtt" => "text/vtt; charset=utf-8",
        "jpg" => "image/jpeg",
        _ => "application/octet-stream",
    }
}

/// What is said of anything below a revision.
struct Facts {
    asset: AssetId,
    visibility: Visibility,
    reader: Reader,
    content_type: &'static str,
    etag: Option<HeaderValue>,
}

impl Facts {
    fn of(asset: &Asset, reader: Reader, content_type: &'static str, etag: String) -> Self {
        let etag = HeaderValue::try_from(etag).ok();
        Self { asset: asset.id, visibility: asset.visibility, reader, content_type, etag }
    }

    /// Puts them into an answer.
    fn dress(&self, response: &mut Response, cache_control: &str) {
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        };
        put(CACHE_CONTROL, cache_control);
        put(CONTENT_SECURITY_POLICY, AS_A_DOCUMENT);
        if self.reader == Reader::Fleet {
            put(HeaderName::from_static(headers::VISIBILITY), self.visibility.as_str());
            put(HeaderName::from_static(headers::CACHE_GROUPS), &groups(self.asset, self.content_type));
        }
        if let Some(etag) = &self.etag {
            response.headers_mut().insert(ETAG, etag.clone());
        }
    }

    fn validators(&self) -> Validators<'_> {
        Validators { etag: self.etag.as_ref(), last_modified: None }
    }
}

/// What an edge can be told to forget it by: the asset, and the kind of thing it is.
fn groups(asset: AssetId, content_type: &str) -> String {
    let kind = match content_type {
        "application/vnd.apple.mpegurl" | "application/dash+xml" => "manifests",
        "audio/mp4" | "video/mp4" => "segments",
        "image/jpeg" => "pictures",
        _ => "texts",
    };
    format!("\"{asset}\", \"{kind}\"")
}

/// The key of an encrypted revision: for its owner and for who has a grant, also where the asset is for everyone. An
/// edge is told that it is private, so that it passes it on to nobody without a grant, and that it must not keep it.
async fn key(
    app: &App,
    parts: &Parts,
    asset: &Asset,
    id: RevisionId,
    reader: Reader,
) -> Result<Response, ApiError> {
    if reader == Reader::Everyone && !is_owner(app, parts, asset).await? {
        return Err(Code::GrantRequired.into());
    }
    let revision = revisions::get(&app.catalog, id).await?.ok_or(Code::NotFound)?;
    let key = revision.aes_key.as_deref().and_then(from_hex).ok_or(Code::NotFound)?;
    let body = if parts.method == Method::GET { Body::from(key) } else { Body::empty() };
    let content_type = "application/octet-stream";
    let mut response = ([(CONTENT_TYPE, content_type)], body).into_response();
    let facts = Facts { asset: asset.id, visibility: Visibility::Private, reader, content_type, etag: None };
    facts.dress(&mut response, "no-store");
    Ok(response)
}

/// A stored file.
struct Packaged {
    file: Arc<dyn StoredFile>,
    facts: Facts,
    /// The segment after this one, where there is one already, relative to this one.
    next: Option<String>,
}

impl Packaged {
    async fn open(
        app: &App,
        id: RevisionId,
        path: FilePath,
        asset: &Asset,
        reader: Reader,
    ) -> Result<Self, ApiError> {
        let name = FileName { asset: id.asset, revision: id.number, path };
        let file = match app.files.open(name.clone()).await {
            Err(StoreError::Missing) => return Err(Code::NotFound.into()),
            file => file?,
        };
        // A path's bytes never change, and only characters an entity tag may have are in one.
        let etag = format!("\"{}:{}\"", name.path, file.size_bytes());
        let facts = Facts::of(asset, reader, content_type(&name.path), etag);
        Ok(Self { facts, next: next_segment(app, id, &name).await, file })
    }
}

/// The segment after this one, if it is there: `00007.m4s` after `00006.m4s`, and after the last of a chunk
/// `../../13-1/v720/00000.m4s`, the first of the next. It only spares a wait: what cannot be found out is left out.
async fn next_segment(app: &App, id: RevisionId, name: &FileName) -> Option<String> {
    let number: u32 = name.path.file_name().strip_suffix(".m4s")?.parse().ok()?;
    let folder = name.path.as_str().strip_suffix(name.path.file_name())?;
    let next = format!("{:05}.m4s", number + 1);
    let path = format!("{folder}{next}").parse().ok()?;
    if app.files.open(FileName { path, ..name.clone() }).await.is_ok() {
        return Some(next);
    }
    let track = name.path.names().nth(1)?;
    let parts = tracks::of_track(&app.catalog, id, track).await.ok()?;
    let here = parts.iter().find(|part| folder.strip_suffix('/') == Some(part.dir.as_str()) && part.whole)?;
    let next = parts.iter().find(|part| part.chunk == here.chunk + 1 && !part.segments.is_empty())?;
    Some(format!("../../{}", next.segment_path(0)))
}

impl Content for Packaged {
    fn size(&self) -> u64 {
        self.file.size_bytes()
    }

    fn validators(&self) -> Validators<'_> {
        self.facts.validators()
    }

    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(self.facts.content_type)
    }

    fn bare(&self, status: StatusCode) -> Response {
        let mut response = status.into_response();
        self.facts.dress(&mut response, self.facts.reader.keeps_for_ever());
        let link = self.next.as_ref().map(|next| HeaderValue::try_from(format!("<{next}>; rel=\"next\"")));
        if let Some(Ok(link)) = link {
            response.headers_mut().insert(LINK, link);
        }
        response
    }

    fn piece(&self, _: &Arc<dyn BlobStore>, range: ByteRange) -> Piece {
        FileReader::new(self.file.clone(), range).into()
    }
}

/// A manifest of what is there so far.
struct Growing {
    text: Bytes,
    facts: Facts,
}

impl Growing {
    fn new(text: String, path: &FilePath, asset: &Asset, reader: Reader) -> Self {
        let digest = Digest::from_bytes(*blake3::hash(text.as_bytes()).as_bytes());
        Self { facts: Facts::of(asset, reader, content_type(path), digest.etag()), text: text.into() }
    }
}

impl Content for Growing {
    fn size(&self) -> u64 {
        self.text.len() as u64
    }

    fn validators(&self) -> Validators<'_> {
        self.facts.validators()
    }

    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(self.facts.content_type)
    }

    fn bare(&self, status: StatusCode) -> Response {
        let mut response = status.into_response();
        self.facts.dress(&mut response, &self.facts.reader.keeps_a_moment());
        response
    }

    fn piece(&self, _: &Arc<dyn BlobStore>, range: ByteRange) -> Piece {
        let at = |position| usize::try_from(position).unwrap_or(usize::MAX).min(self.text.len());
        Piece::Text(self.text.slice(at(range.start)..at(range.end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_has_one_name() {
        assert_eq!(revision_number("1"), Some(1));
        for text in ["01", "+1", "-1", "1.0", "", "4294967296", "source"] {
            assert_eq!(revision_number(text), None, "{text}");
        }
    }

    #[test]
    fn kinds_are_told_by_their_endings() {
        for (path, expected) in [
            ("master.m3u8", "application/vnd.apple.mpegurl"),
            ("manifest.mpd", "application/dash+xml"),
            ("2-1/v360/init.mp4", "video/mp4"),
            ("2-1/v360/00000.m4s", "video/mp4"),
            ("3-1/a0/00000.m4s", "audio/mp4"),
            ("4-1/poster.jpg", "image/jpeg"),
            ("4-1/storyboard.vtt", "text/vtt; charset=utf-8"),
            ("x", "application/octet-stream"),
        ] {
            assert_eq!(content_type(&path.parse().unwrap()), expected, "{path}");
        }
    }
}
