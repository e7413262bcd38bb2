//! The pictures look like the source's: SSIM of every frame of every rung, also where chunks meet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};

use tidegate_testkit::http::Request;
use tidegate_testkit::scene::Service;
use tidegate_testkit::supervise::Recipe;
use tidegate_testkit::tus::id_of;
use tidegate_testkit::video::made;
use tidegate_testkit::{Backing, Scene};

const RATE: usize = 25;
/// What a rung has on average at least. Seen on this flight: 0.95 to 0.99.
const MEAN: f64 = 0.93;
/// What each frame has at least. Seen: 0.92 to 0.96.
const WORST: f64 = 0.88;
/// Seconds of a chunk of what is longer than a minute.
const CHUNK_SECONDS: usize = 24;

/// A flight into the Mandelbrot set under a little grain: detail at every scale, and no two frames alike.
fn flight(size: &str, seconds: usize) -> PathBuf {
    let frames = seconds * RATE;
    made(
        "flight.mp4",
        &format!(
            "-f lavfi -i mandelbrot=s={size}:r={RATE}:maxiter=200:end_scale=0.02:end_pts={frames},noise=alls=4:allf=t \
             -frames:v {frames} -c:v libx264 -preset ultrafast -crf 12 -pix_fmt yuv420p \
             -color_primaries bt709 -color_trc bt709 -colorspace bt709"
        ),
    )
}

/// What was made of a source: its rungs by the names of their playlists, from the lowest.
struct Made {
    scene: Scene,
    origin: Service,
    folder: String,
    playlists: Vec<String>,
}

fn make(source: &Path, ladder: &str) -> Made {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin_with(&["--ladder", ladder]);
    let _worker = scene.worker(origin.addr, &[]);
    let (tus, api) = (scene.tus(origin.addr), scene.api(origin.addr));
    let id = id_of(&tus.upload(&std::fs::read(source).unwrap(), "flight.mp4")).to_owned();
    let asset = api.asset_in_state(&id, &["ready", "failed"]);
    assert_eq!(asset["state"], "ready", "{asset:#}");
    api.set_visibility(&id, "unlisted");
    let folder = format!("/media/{id}/1");
    let master = Request::get(&format!("{folder}/master.m3u8")).send(origin.addr).expect(200).text();
    let names = master.lines().filter(|line| line.starts_with('v') && line.ends_with(".m3u8"));
    let playlists = names.map(str::to_owned).collect();
    Made { scene, origin, folder, playlists }
}

impl Made {
    /// SSIM of each frame, the nth against the source's nth after the first `off`, at the rung's size.
    fn likeness(&self, playlist: &str, source: &Path, off: usize) -> Vec<f64> {
        let stats = self.scene.folder().join("ssim.txt");
        // By number, not by time: a frame too many or too few would put all that come after it beside the wrong one.
        let by_number = format!("settb=1/{RATE},setpts=N");
        let graph = format!(
            "[0:v]{by_number}[made];[1:v]trim=start_frame={off},{by_number}[source];[source][made]scale2ref=flags=bicubic[wanted][made];\
             [made][wanted]ssim=stats_file={}",
            stats.display()
        );
        let url = format!("{}{}/{playlist}", self.origin.url(), self.folder);
        let _ = Recipe::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-i", &url, "-i"])
            .args([source])
            .args(["-lavfi", &graph, "-f", "null", "-"])
            .run();
        let said = std::fs::read_to_string(&stats).unwrap();
        let all = |line: &str| line.split("All:").nth(1)?.split(' ').next()?.parse().ok();
        said.lines().map(|line| all(line).unwrap_or_else(|| panic!("{line}"))).collect()
    }
}

#[allow(clippy::cast_precision_loss)]
fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}

fn worst(of: &[f64]) -> f64 {
    of.iter().copied().fold(f64::INFINITY, f64::min)
}

#[test]
fn every_rung_of_the_ladder_looks_like_the_source() {
    let source = flight("1920x1080", 2);
    let made = make(&source, "360:800k,480:1200k,720:2400k,1080:4800k");
    assert_eq!(made.playlists.len(), 4);
    for playlist in &made.playlists {
        let seen = made.likeness(playlist, &source, 0);
        println!("{playlist}: mean {:.4}, worst frame {:.4}", mean(&seen), worst(&seen));
        assert_eq!(seen.len(), 2 * RATE, "{playlist}");
        assert!(mean(&seen) > MEAN, "{playlist}: {:.4}", mean(&seen));
        assert!(worst(&seen) > WORST, "{playlist}: {:.4}", worst(&seen));
    }
}

#[test]
fn nobody_sees_where_chunks_meet() {
    const SECONDS: usize = 62;
    let source = flight("512x288", SECONDS);
    let made = make(&source, "144:300k,288:900k");
    assert_eq!(made.playlists.len(), 2);
    for playlist in &made.playlists {
        let seen = made.likeness(playlist, &source, 0);
        println!("{playlist}: mean {:.4}, worst frame {:.4}", mean(&seen), worst(&seen));
        assert_eq!(seen.len(), SECONDS * RATE, "{playlist}");
        assert!(mean(&seen) > MEAN, "{playlist}: {:.4}", mean(&seen));
        let next = made.likeness(playlist, &source, 1);
        for joint in (CHUNK_SECONDS..SECONDS - CHUNK_SECONDS / 2).step_by(CHUNK_SECONDS) {
            for side in [(joint - 1) * RATE..joint * RATE, joint * RATE..(joint + 1) * RATE] {
                let (here, next) = (&seen[side.clone()], &next[side]);
                let (like, less) = (mean(here), mean(next));
                println!("{playlist}, at {joint} s: {like:.4}, worst {:.4}; one off {less:.4}", worst(here));
                assert!(worst(here) > WORST, "{playlist} at {joint} s: {here:?}");
                // It is these frames that are there, and not those after them.
                assert!(like > less, "{playlist} at {joint} s: {like}, but one off {less}");
            }
        }
    }
}
