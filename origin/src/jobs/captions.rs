//! Captions that an owner sends, beside those that are in the file.
//!
//! Before the package is made they are simply there when it is. Afterwards it is made once more: the segments stay,
//! the manifests are written anew.

use bytes::Bytes;
use serde_json::json;
use tidegate_wire::digest::to_hex;
use tidegate_wire::job::{PackageWork, TextTrack, Work};
use tidegate_wire::purge::PurgeTargets;
use tidegate_wire::{AssetId, Code};

use super::JobError;
use super::create::{job_id, of_planned};
use super::plan::{Class, Planned};
use crate::app::App;
use crate::catalog::jobs::{self, Job, JobState, NewJob};
use crate::catalog::revisions::{self, Revision, RevisionId, RevisionState};
use crate::catalog::{AccountId, Tx, assets, published, purges, queue, texts, trees};
use crate::events::{Kind, tell};
use crate::limits;
use crate::store::{FileName, FilePath, Tree};

/// What the names of tracks begin with that an owner sent.
const OWNERS: &str = "c-";

/// A language tag as captions are kept by: `en`, `pt-BR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language(String);

impl Language {
    /// Reads a tag of BCP 47, as far as its form goes: a language and subtags of letters and digits.
    pub fn parse(text: &str) -> Option<Self> {
        let subtag = |tag: &str, least: usize| {
            (least..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        let mut tags = text.split('-');
        let first = tags.next()?;
        let fits = text.len() <= limits::LANGUAGE_BYTES
            && subtag(first, 2)
            && first.bytes().all(|b| b.is_ascii_alphabetic())
            && tags.all(|tag| subtag(tag, 1));
        fits.then(|| Self(text.to_owned()))
    }

    /// The tag as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The track of what an owner sent in this language; those of the file itself are `t0`, `t1`, …
    pub fn track(&self) -> String {
        format!("{OWNERS}{}", self.0.to_ascii_lowercase())
    }
}

/// Whether this is WebVTT as far as its first line says (W3C WebVTT section 4.1), in UTF-8.
pub fn is_web_vtt(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(rest) = text.strip_prefix("WEBVTT") else { return false };
    let ends_there = rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']);
    ends_there && !text.contains('\0')
}

/// Puts captions beside a video, in the place of those of the same language.
///
/// # Errors
/// `not_a_video`; `too_many_captions`; the store's and the catalogue's.
pub async fn put(
    app: &App,
    asset: AssetId,
    language: &Language,
    label: &str,
    body: Bytes,
) -> Result<(), JobError> {
    let revision = revisions::newest(&app.catalog, asset).await?.ok_or(Code::NotAVideo)?;
    check_room(&texts::list(&app.catalog, revision.id).await?, language)?;
    let text = TextTrack {
        track: language.track(),
        // Each time another place: what is stored never changes.
        path: format!("c-{}/{}.vtt", to_hex(&app.entropy.bytes::<8>()), language.track()),
        language: language.0.clone(),
        label: label.to_owned(),
    };
    store(app, revision.id, &text, body).await?;
    let mut tx = app.catalog.begin().await?;
    let Some(revision) = revisions::get_locked(&mut tx, revision.id).await? else {
        drop(tx);
        // Deleted while it was stored: nobody else knows that there is something to remove again. From the trash all of
        // it may come back but this.
        let in_trash = assets::get_trashed(&app.catalog, asset).await?.is_some();
        match text.path.rsplit_once('/') {
            Some((folder, _)) if in_trash => app.remove_tree(&format!("{}/{folder}", revision.id)).await,
            _ => app.remove_tree(&asset.to_string()).await,
        }
        return Err(Code::AssetNotFound.into());
    };
    // Others may have come meanwhile.
    if let Err(full) = check_room(&texts::list_in(&mut tx, revision.id).await?, language) {
        drop(tx);
        if let Some((folder, _)) = text.path.rsplit_once('/') {
            app.remove_tree(&format!("{}/{folder}", revision.id)).await;
        }
        return Err(full);
    }
    let old = texts::remove(&mut tx, revision.id, &text.track).await?;
    texts::put(&mut tx, revision.id, &text).await?;
    published::put(&mut tx, revision.id, &format!("{}.vtt", text.track), &text.path).await?;
    tell_of(app, &mut tx, &revision).await?;
    follow_up(app, &mut tx, revision, &text.track, old).await?;
    tx.commit().await?;
    announce(app);
    Ok(())
}

/// Takes captions back. `false` if there are none of the language that an owner sent.
///
/// # Errors
/// The catalogue's.
pub async fn remove(app: &App, asset: AssetId, language: &Language) -> Result<bool, JobError> {
    let Some(revision) = revisions::newest(&app.catalog, asset).await? else { return Ok(false) };
    let mut tx = app.catalog.begin().await?;
    let Some(revision) = revisions::get_locked(&mut tx, revision.id).await? else { return Ok(false) };
    let track = language.track();
    let Some(old) = texts::remove(&mut tx, revision.id, &track).await? else { return Ok(false) };
    published::remove(&mut tx, revision.id, &format!("{track}.vtt")).await?;
    published::remove(&mut tx, revision.id, &format!("{track}.m3u8")).await?;
    tell_of(app, &mut tx, &revision).await?;
    follow_up(app, &mut tx, revision, &track, Some(old)).await?;
    tx.commit().await?;
    announce(app);
    Ok(true)
}

async fn tell_of(app: &App, tx: &mut Tx, revision: &Revision) -> Result<(), JobError> {
    let owner = (!revision.account.is_empty()).then(|| AccountId::new(revision.account.as_str()));
    let data = json!({ "fields": ["captions"] });
    Ok(tell(app, tx, Kind::AssetChanged, revision.id.asset, owner.as_ref(), data).await?)
}

/// Whether one more can be put beside those there are; one may always take another's place.
fn check_room(there: &[TextTrack], language: &Language) -> Result<(), JobError> {
    let track = language.track();
    let others = there.iter().filter(|text| text.track.starts_with(OWNERS) && text.track != track);
    if others.count() < limits::CAPTIONS_PER_VIDEO { Ok(()) } else { Err(Code::TooManyCaptions.into()) }
}

fn announce(app: &App) {
    app.announce_jobs();
    app.announce_purge();
}

async fn store(app: &App, id: RevisionId, text: &TextTrack, body: Bytes) -> Result<(), JobError> {
    let path = text.path.parse::<FilePath>().map_err(|_| JobError::senseless("language: too long"))?;
    let mut file = app.files.create(FileName { asset: id.asset, revision: id.number, path }).await?;
    file.write(body).await?;
    file.finish().await?;
    Ok(())
}

/// What a change of captions makes necessary: the old file goes, edges forget the names, and a package that has been
/// made is made again.
async fn follow_up(
    app: &App,
    tx: &mut Tx,
    mut revision: Revision,
    track: &str,
    old: Option<String>,
) -> Result<(), JobError> {
    let now_ms = app.clock.unix_ms();
    let package = jobs::newest_package(tx, revision.id).await?;
    let waits = match package {
        // It finds what there is then, also when it is taken up again.
        Some(package) if !package.has_begun() || revision.state == RevisionState::Failed => Some(package.seq),
        // Nothing is planned yet.
        None if revision.state != RevisionState::Ready => None,
        before => {
            add_package(app, tx, &mut revision, before.as_ref(), None).await?;
            Some(revision.jobs)
        }
    };
    // Until then the manifests that there are speak of the old file.
    if let Some(folder) = old.as_deref().and_then(|path| path.rsplit_once('/')?.0.parse().ok()) {
        let tree = Tree { asset: revision.id.asset, below: Some((revision.id.number, folder)) };
        trees::insert(tx, &tree.to_string(), waits, now_ms).await?;
    }
    let root = format!("/media/{}", revision.id);
    let urls = vec![format!("{root}/{track}.vtt"), format!("{root}/{track}.m3u8")];
    purges::append(tx, &PurgeTargets { urls, ..PurgeTargets::default() }, None, now_ms).await?;
    Ok(())
}

/// One more package, after the one that is being made, if it still is, and after `other`, if there is one.
pub(super) async fn add_package(
    app: &App,
    tx: &mut Tx,
    revision: &mut Revision,
    before: Option<&Job>,
    other: Option<&Job>,
) -> Result<(), JobError> {
    let chunks = revision.plan.as_ref().map_or(0, |plan| plan.chunks);
    let work = PackageWork { parts: Vec::new(), texts: Vec::new(), chunks, encrypted: false };
    let planned = Planned {
        work: Work::Package(work),
        class: Class::Package,
        cost_ms: limits::SMALL_JOB_MS,
        needs_bytes: limits::JOB_ROOM_BYTES,
    };
    revision.jobs += 1;
    let before = before.filter(|before| before.state == JobState::Running);
    let new = NewJob {
        id: job_id(app, revision.jobs),
        seq: revision.jobs,
        account: revision.account.clone(),
        length_ms: revision.info.as_ref().map_or(0, |info| info.duration_ms),
        missing: u32::from(before.is_some()) + u32::from(other.is_some()),
        created_at: app.clock.unix_ms(),
        ..of_planned(planned, revision.id)
    };
    jobs::insert(tx, &new).await?;
    for first in before.into_iter().chain(other) {
        queue::let_unblock(tx, first.id, Some(new.id)).await?;
    }
    Ok(revisions::update(tx, revision).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_are_read_by_their_form() {
        for (text, track) in
            [("en", "c-en"), ("pt-BR", "c-pt-br"), ("zh-Hant-TW", "c-zh-hant-tw"), ("sl-1994", "c-sl-1994")]
        {
            assert_eq!(Language::parse(text).unwrap().track(), track);
        }
        for text in ["", "e", "en-", "-en", "en_US", "en/..", "1en", "en-toolongsub", "ü", &"en-a".repeat(20)]
        {
            assert_eq!(Language::parse(text), None, "{text}");
        }
    }

    #[test]
    fn web_vtt_is_told_by_its_first_line() {
        for body in
            ["WEBVTT", "WEBVTT\n\n00:00.000 --> 00:01.000\nHi", "\u{feff}WEBVTT - title\r\n", "WEBVTT\tx"]
        {
            assert!(is_web_vtt(body.as_bytes()), "{body}");
        }
        for body in ["", "webvtt", "WEBVTTX", "1\n00:00:00,000 --> ", "WEBVTT\n\0", "<html>"] {
            assert!(!is_web_vtt(body.as_bytes()), "{body}");
        }
        assert!(!is_web_vtt(b"WEBVTT\n\xff"));
    }
}
