//! A real video to upload and play.

use std::path::{Path, PathBuf};

use crate::binaries;
use crate::supervise::Recipe;

/// How long [`video`] plays, in seconds.
pub const SECONDS: u32 = 60;

/// An MP4 of [`SECONDS`] seconds, H.264 and AAC, with its index in front: a test picture with noise over it, so that
/// it is some 46 MB and a player must ask for it in pieces. Made once and kept in cargo's target folder.
///
/// # Panics
/// When ffmpeg is not installed or fails.
pub fn video() -> PathBuf {
    let folder = binaries::target_folder().join("tmp");
    let path = folder.join(format!("tide-{SECONDS}s-6M.mp4"));
    if !path.exists() {
        std::fs::create_dir_all(&folder).expect("a folder for the video");
        // Under a name of its own until it is whole: another test process may be making it too.
        let unfinished = folder.join(format!("tide-{}.mp4", std::process::id()));
        make(&unfinished);
        std::fs::rename(&unfinished, &path).expect("keeping the video");
    }
    path
}

/// A file made by ffmpeg from these words, kept under `name` in cargo's target folder.
///
/// # Panics
/// When ffmpeg is not installed or fails.
pub fn made(name: &str, words: &str) -> PathBuf {
    let folder = binaries::target_folder().join("tmp").join("sources");
    // Another recipe is another file.
    let recipe = blake3::hash(words.as_bytes()).to_hex();
    let path = folder.join(format!("{}-{name}", &recipe[..8]));
    if !path.exists() {
        std::fs::create_dir_all(&folder).expect("a folder for the video");
        let unfinished = folder.join(format!("{}-{}-{name}", std::process::id(), &recipe[..8]));
        Recipe::new("ffmpeg")
            .configure(|command| {
                command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]);
                command.args(words.split_whitespace()).arg(&unfinished);
            })
            .run();
        std::fs::rename(&unfinished, &path).expect("keeping the video");
    }
    path
}

/// What ffprobe says of a file or an address, one line an entry.
///
/// # Panics
/// When ffprobe is not installed or fails.
pub fn ffprobe(what: &str, words: &str) -> Vec<String> {
    let said = Recipe::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(words.split_whitespace())
        .args([what])
        .run();
    said.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

fn make(path: &Path) {
    let picture = format!("testsrc2=size=640x360:rate=25:duration={SECONDS},noise=alls=40:allf=t");
    let tone = format!("sine=frequency=440:duration={SECONDS}");
    let inputs = ["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &tone];
    let coding = ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "6M", "-g", "25", "-pix_fmt", "yuv420p"];
    Recipe::new("ffmpeg")
        .configure(|command| {
            command.args(["-hide_banner", "-loglevel", "error", "-y"]).args(inputs).args(coding);
            command.args(["-c:a", "aac", "-movflags", "+faststart"]).arg(path);
        })
        .run();
}
