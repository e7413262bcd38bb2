//! What has been listed in a playlist that grows keeps its address (RFC 8216 section 6.2.1), also when another attempt
//! takes its making over. The new attempt's segments are on the same grid and for the same decoder as those that
//! players have: from where these end, its files get second names beside them, and the part goes on where it was.

use tidegate_wire::job::Work;
use tidegate_wire::track::TrackPart;

use super::JobError;
use crate::app::App;
use crate::catalog::jobs::Job;
use crate::catalog::tracks;
use crate::store::{FileName, FilePath, Kept, StoreError};

/// The part as playlists are to speak of it: in the directory where its beginning has been shown, if an earlier attempt
/// has shown one that this one goes on with; otherwise as it is.
pub(super) async fn continued(app: &App, job: &Job, part: &TrackPart) -> Result<TrackPart, JobError> {
    // What several rungs share is listed only when it is whole.
    let may_be_shown = match &job.work {
        Work::Rendition(work) => work.rungs.len() == 1,
        Work::Audio(_) => true,
        _ => false,
    };
    if !may_be_shown {
        return Ok(part.clone());
    }
    let known = tracks::get(&app.catalog, job.revision, &part.track, part.chunk).await?;
    let Some(shown) = known.filter(|known| known.dir != part.dir && goes_on(known, part)) else {
        return Ok(part.clone());
    };
    for index in shown.segments.len()..part.segments.len() {
        let (from, to) = (name(job, &part.segment_path(index))?, name(job, &shown.segment_path(index))?);
        match app.files.link(from, to).await {
            // The earlier attempt came that far, and was not heard of any more. Whoever has it may have it still.
            Ok(Kept::Different) => return Ok(part.clone()),
            Ok(Kept::New | Kept::Same) => {}
            Err(StoreError::Missing) => return Err(JobError::senseless("parts: a segment is not stored")),
            Err(error) => return Err(error.into()),
        }
    }
    let mut segments = shown.segments;
    segments.extend_from_slice(&part.segments[segments.len()..]);
    Ok(TrackPart { dir: shown.dir, segments, ..part.clone() })
}

/// Whether a part has all that was shown of another attempt's, on the same grid and for the same decoder.
fn goes_on(shown: &TrackPart, part: &TrackPart) -> bool {
    let same_decoder = shown.init_digest == part.init_digest
        && shown.init_size_bytes == part.init_size_bytes
        && shown.format == part.format;
    let same_grid = shown.segments.len() <= part.segments.len()
        && shown
            .segments
            .iter()
            .zip(&part.segments)
            .all(|(a, b)| (a.start_ticks, a.duration_ticks) == (b.start_ticks, b.duration_ticks));
    // What was whole and is made anew did not fit.
    !shown.whole && !shown.segments.is_empty() && same_decoder && same_grid
}

fn name(job: &Job, path: &str) -> Result<FileName, JobError> {
    let path: FilePath = path.parse().map_err(|_| JobError::senseless("parts: not the name of a file"))?;
    Ok(FileName { asset: job.revision.asset, revision: job.revision.number, path })
}
