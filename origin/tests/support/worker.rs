//! A worker played by HTTP calls: it stores small made-up files where a real one stores segments.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use serde_json::{Value, json};
use tidegate_wire::AssetId;
use tidegate_wire::job::{
    AudioStream, Claim, Ending, Failure, Finish, Progress, Report, SourceInfo, SubtitleStream, VideoStream,
    Work,
};
use tidegate_wire::track::{Format, Media, Ratio, Segment, TrackPart};

use super::api::{Answer, As, FLEET_KEY, Origin, request};

/// What the file of an upload is made of.
pub const FILM: &str = "bytes of a video that is not one";
const PLENTY: u64 = 1 << 50;

/// Uploads a file of this type in one request.
pub async fn upload(origin: &Origin, owner: &As, content_type: &str) -> AssetId {
    let mut upload = request(owner, Method::POST, "/files", None);
    *upload.body_mut() = Body::from(FILM);
    upload.headers_mut().insert("content-type", content_type.parse().unwrap());
    upload.headers_mut().insert("content-length", FILM.len().into());
    let answer = origin.send(upload).await.expect(201);
    answer.json()["id"].as_str().unwrap().parse().unwrap()
}

/// Uploads a video by tus, with this metadata beside its type.
pub async fn upload_with(origin: &Origin, owner: &As, metadata: &[(&str, &str)]) -> AssetId {
    let field = metadata.iter().chain(&[("filetype", "video/mp4")]);
    let field: Vec<String> = field.map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
    let mut create = request(owner, Method::POST, "/files", None);
    for (name, value) in [
        ("tus-resumable", "1.0.0"),
        ("upload-length", &FILM.len().to_string()),
        ("upload-metadata", &field.join(",")),
    ] {
        create.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    let location = origin.send(create).await.expect(201).header("location").to_owned();
    let id = location.rsplit('/').next().unwrap().to_owned();
    let mut patch = request(owner, Method::PATCH, &format!("/files/{id}"), None);
    *patch.body_mut() = Body::from(FILM);
    for (name, value) in [
        ("tus-resumable", "1.0.0"),
        ("upload-offset", "0"),
        ("content-type", "application/offset+octet-stream"),
        ("content-length", &FILM.len().to_string()),
    ] {
        patch.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    origin.send(patch).await.expect(204);
    id.parse().unwrap()
}

/// A 1080p source of so long, with stereo sound.
pub fn source_info(duration_ms: u64) -> SourceInfo {
    let video = VideoStream {
        index: 0,
        codec: "h264".to_owned(),
        width: 1920,
        height: 1080,
        rotation: 0,
        frame_rate: rate(30, 1),
        variable_rate: false,
        hdr: None,
        interlaced: false,
        start_us: 0,
    };
    let audio = AudioStream {
        index: 1,
        codec: "aac".to_owned(),
        channels: 2,
        sample_rate: 48_000,
        language: Some("en".to_owned()),
        title: None,
    };
    SourceInfo {
        container: "mov".to_owned(),
        duration_ms,
        video: Some(video),
        audio: vec![audio],
        subtitles: Vec::new(),
    }
}

/// The same with a text track.
pub fn with_subtitles(mut info: SourceInfo) -> SourceInfo {
    info.subtitles = vec![SubtitleStream {
        index: 2,
        codec: "mov_text".to_owned(),
        is_text: true,
        language: Some("de".to_owned()),
        title: Some("Deutsch".to_owned()),
    }];
    info
}

fn rate(num: u32, den: u32) -> Ratio {
    Ratio { num: num.try_into().unwrap(), den: den.try_into().unwrap() }
}

/// Asks for a job and goes.
pub async fn claim(origin: &Origin) -> Option<Claim> {
    claim_as(origin, "a worker", PLENTY, &[], 0).await
}

/// A job that must be there.
#[track_caller]
pub fn claimed(origin: &Origin) -> impl Future<Output = Claim> + '_ {
    let asked = std::panic::Location::caller();
    async move { claim(origin).await.unwrap_or_else(|| panic!("no job at {asked}")) }
}

pub async fn claim_as(
    origin: &Origin,
    worker: &str,
    scratch_free_bytes: u64,
    holds: &[AssetId],
    wait_s: u32,
) -> Option<Claim> {
    let body = json!({ "worker": worker, "wait_s": wait_s, "scratch_free_bytes": scratch_free_bytes, "holds": holds });
    let answer = origin.post(&As::Fleet, "/internal/jobs/claim", body).await;
    match answer.status.as_u16() {
        204 => None,
        _ => Some(serde_json::from_str(&answer.expect(200).text).unwrap()),
    }
}

pub async fn put(origin: &Origin, claim: &Claim, path: &str, body: impl Into<Body>) -> Answer {
    let path = format!("/internal/jobs/{}/files/{}/{path}", claim.job, claim.attempt);
    let request = Request::put(path).header("tidegate-fleet-key", FLEET_KEY);
    origin.send(request.body(body.into()).unwrap()).await
}

pub async fn beat(origin: &Origin, claim: &Claim, done: f64, parts: Vec<TrackPart>) -> Answer {
    let progress = Progress { attempt: claim.attempt, done, parts };
    let path = format!("/internal/jobs/{}/heartbeat", claim.job);
    origin.post(&As::Fleet, &path, serde_json::to_value(progress).unwrap()).await
}

pub async fn end(origin: &Origin, claim: &Claim, ending: Ending) -> Answer {
    let finish = Finish { attempt: claim.attempt, ending };
    let path = format!("/internal/jobs/{}/finish", claim.job);
    origin.post(&As::Fleet, &path, serde_json::to_value(finish).unwrap()).await
}

pub async fn done(origin: &Origin, claim: &Claim, report: Report) -> Answer {
    end(origin, claim, Ending::Done { report }).await
}

pub async fn fail(origin: &Origin, claim: &Claim, permanent: bool) -> Answer {
    let (code, message) = ("made_up".to_owned(), "A failure of a test.".to_owned());
    let failure = Failure { permanent, code, message, log: "the last line".to_owned() };
    end(origin, claim, Ending::Failed(failure)).await
}

pub async fn probed(origin: &Origin, claim: &Claim, info: SourceInfo) {
    done(origin, claim, Report::Probed { info }).await.expect(204);
}

/// A part of `segments` four-second segments from where the claimed job begins, as its attempt would make it.
pub fn part(claim: &Claim, track: &str, segments: u64, whole: bool) -> TrackPart {
    let (chunk, first_frame, media, timescale, ticks) = match &claim.work {
        Work::Rendition(work) => {
            let rung = work.rungs.iter().find(|rung| rung.track == track).unwrap();
            let (width, height) = (rung.width, rung.height);
            let media = Media::Video { width, height, frame_rate: work.video.frame_rate };
            (work.chunk, work.first_frame, media, 30, 120)
        }
        _ => (0, 0, Media::Audio { sample_rate: 48_000, channels: 2 }, 48_000, 192_000),
    };
    let segment = |n: u64| Segment {
        start_ticks: first_frame + n * ticks,
        duration_ticks: ticks,
        size_bytes: body(track, n).len() as u64,
        sync: Vec::new(),
    };
    TrackPart {
        track: track.to_owned(),
        chunk,
        dir: format!("{}/{track}", claim.dir),
        format: Format {
            codecs: if timescale == 30 { "avc1.64001f" } else { "mp4a.40.2" }.to_owned(),
            timescale: timescale.try_into().unwrap(),
            language: None,
            label: None,
            media,
        },
        init_size_bytes: 4,
        init_digest: "ab".repeat(32),
        segments: (0..segments).map(segment).collect(),
        whole,
    }
}

fn body(track: &str, n: u64) -> String {
    format!("segment {n} of {track}")
}

/// Stores the files of a part.
pub async fn store_part(origin: &Origin, claim: &Claim, part: &TrackPart) {
    put(origin, claim, &format!("{}/init.mp4", part.track), "init").await.expect(201);
    for n in 0..part.segments.len() {
        let path = format!("{}/{n:05}.m4s", part.track);
        put(origin, claim, &path, body(&part.track, n as u64)).await.expect(201);
    }
}

/// The tracks a claimed job is to make.
pub fn tracks(claim: &Claim) -> Vec<String> {
    match &claim.work {
        Work::Rendition(work) => work.rungs.iter().map(|rung| rung.track.clone()).collect(),
        Work::Audio(work) => vec![work.track.clone()],
        _ => Vec::new(),
    }
}

/// How many segments the claimed job makes of a source of `duration_ms`.
fn segments(claim: &Claim, duration_ms: u64) -> u64 {
    let all = duration_ms.div_ceil(4000);
    match &claim.work {
        Work::Rendition(work) => work.frames.map_or(all - work.first_segment, |frames| frames.div_ceil(120)),
        _ => all,
    }
}

/// Does a claimed job as it is meant.
pub async fn do_job(origin: &Origin, claim: &Claim, info: &SourceInfo) {
    let files = match &claim.work {
        Work::Probe => return probed(origin, claim, info.clone()).await,
        Work::Rendition(_) | Work::Audio(_) => {
            let many = segments(claim, info.duration_ms);
            let parts: Vec<TrackPart> =
                tracks(claim).iter().map(|track| part(claim, track, many, true)).collect();
            for part in &parts {
                store_part(origin, claim, part).await;
            }
            done(origin, claim, Report::Encoded { parts }).await.expect(204);
            return;
        }
        Work::Poster(_) => ["poster.jpg", "storyboard.jpg", "storyboard.vtt"]
            .map(|name| (name.to_owned(), name.to_owned()))
            .to_vec(),
        Work::Captions(work) => {
            work.tracks.iter().map(|track| (format!("{track}.vtt"), "WEBVTT\n".to_owned())).collect()
        }
        Work::Package(work) => tidegate_packager::manifests(work)
            .unwrap()
            .into_iter()
            .map(|manifest| (manifest.name, String::from_utf8(manifest.bytes.to_vec()).unwrap()))
            .collect(),
    };
    for (name, text) in &files {
        put(origin, claim, name, text.clone()).await.expect(201);
    }
    let files = files.into_iter().map(|(name, _)| name).collect();
    done(origin, claim, Report::Stored { files }).await.expect(204);
}

/// Does every job there is, until there is none.
pub async fn do_all(origin: &Origin, info: &SourceInfo) -> usize {
    let mut count = 0;
    while let Some(claim) = claim(origin).await {
        do_job(origin, &claim, info).await;
        count += 1;
    }
    count
}

/// The asset as its owner sees it.
pub async fn shown(origin: &Origin, owner: &As, id: AssetId) -> Value {
    origin.get(owner, &format!("/api/v1/assets/{id}")).await.expect(200).json()
}

/// The jobs as an account sees them, the oldest first.
pub async fn jobs(origin: &Origin, who: &As) -> Vec<Value> {
    let list = origin.get(who, "/api/v1/jobs?limit=200").await.expect(200).json();
    let mut jobs = list["jobs"].as_array().unwrap().clone();
    jobs.reverse();
    jobs
}
