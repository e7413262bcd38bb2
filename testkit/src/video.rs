//! A real video to upload and play.

use std::path::{Path, PathBuf};

use crate::binaries;
use crate::supervise::Recipe;

/// How long [`video`] plays, in seconds.
pub const SECONDS: u32 = 60;

/// What the captions of a [`film`] say.
pub const CAPTION: &str = "Good evening";

/// An MP4 of so many seconds in 1280×720 at 30 frames a second, with sound in English and in German, and with English
/// captions that say [`CAPTION`] all the time. Made once and kept in cargo's target folder.
///
/// # Panics
/// When ffmpeg is not installed or fails.
pub fn film(seconds: u32) -> PathBuf {
    kept(&format!("film-{seconds}s.mp4"), |path| {
        let captions = path.with_extension("srt");
        let end = format!("{:02}:{:02}", seconds / 60, seconds % 60);
        let text = format!("1\n00:00:00,000 --> 00:{end},000\n{CAPTION}\n\n");
        std::fs::write(&captions, text).expect("the captions");
        let picture = format!("testsrc2=size=1280x720:rate=30:duration={seconds}");
        let tone = |hertz: u32| format!("sine=frequency={hertz}:duration={seconds}");
        Recipe::new("ffmpeg")
            .configure(|command| {
                command.args(["-hide_banner", "-loglevel", "error", "-y"]);
                for input in [&picture, &tone(440), &tone(660)] {
                    command.args(["-f", "lavfi", "-i", input]);
                }
                command.arg("-i").arg(&captions);
                for stream in ["0", "1", "2", "3"] {
                    command.args(["-map", stream]);
                }
                command.args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-pix_fmt", "yuv420p"]);
                command.args(["-c:a", "aac", "-c:s", "mov_text", "-movflags", "+faststart"]);
                for (stream, language) in [("a:0", "eng"), ("a:1", "deu"), ("s:0", "eng")] {
                    command.args([&format!("-metadata:s:{stream}"), &format!("language={language}")]);
                }
                command.arg(path);
            })
            .run();
        std::fs::remove_file(&captions).expect("removing the captions");
    })
}

/// An MP4 of [`SECONDS`] seconds, H.264 and AAC, with its index in front: a test picture with noise over it, so that
/// it is some 46 MB and a player must ask for it in pieces. Made once and kept in cargo's target folder.
///
/// # Panics
/// When ffmpeg is not installed or fails.
pub fn video() -> PathBuf {
    kept(&format!("tide-{SECONDS}s-6M.mp4"), make)
}

fn kept(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let folder = binaries::target_folder().join("tmp");
    let path = folder.join(name);
    if !path.exists() {
        std::fs::create_dir_all(&folder).expect("a folder for the video");
        // Under a name of its own until it is whole: another test may be making it too.
        let own = tempfile::tempdir_in(&folder).expect("a folder for the unfinished video");
        let unfinished = own.path().join(name);
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
        // Under a name of its own until it is whole: others may be making it too.
        let own =
            tempfile::Builder::new().prefix("making-").tempdir_in(&folder).expect("a folder to make it in");
        let unfinished = own.path().join(name);
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
