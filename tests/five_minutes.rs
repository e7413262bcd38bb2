//! The README's five minutes: start `tidegate`, upload a video, kill the server in the middle, start it again, see
//! the upload go on where it was, and watch the video from an edge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::os::unix::fs::PermissionsExt as _;

use tidegate_testkit::files::digest_of_file;
use tidegate_testkit::http::Request;
use tidegate_testkit::process::loopback;
use tidegate_testkit::scene::Api;
use tidegate_testkit::wait::eventually_true;
use tidegate_testkit::{Process, Upload, eventually, limits, ports, video};

#[test]
fn a_newcomer_uploads_a_video_over_a_crash_and_watches_it_from_an_edge() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    // The server takes this port and the two after it, for its edges.
    let first = ports::free_ports_in_a_row(3);
    let server = loopback(first);
    let arguments = ["--data", data.to_str().unwrap(), "--listen", &server.to_string()].map(str::to_owned);
    let tidegate = Process::start("tidegate", &arguments, server, "/healthz");

    // It says where it listens and where the token is.
    let token_file = data.join("admin.token");
    let said = eventually("what tidegate prints", limits::START, || {
        let said = tidegate.output();
        said.contains(&token_file.display().to_string()).then_some(said)
    });
    for port in first..first + 3 {
        assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
    }
    assert_eq!(std::fs::metadata(&token_file).unwrap().permissions().mode() & 0o777, 0o600);

    // The upload, slowly enough that the kill falls into it.
    let film = video::video();
    let base = format!("http://{server}");
    let journal = home.path().join("journal");
    let mut upload = Upload::start(&film, &base, &token_file, &journal, &["--limit-rate", "20MiB/s"]);
    let created = upload.event("created");
    let path = created["url"].as_str().unwrap().trim_start_matches(&base).to_owned();
    let token = std::fs::read_to_string(&token_file).unwrap().trim().to_owned();
    let offset = || {
        let head = Request::new("HEAD", &path).bearer(&token).header("Tus-Resumable", "1.0.0");
        head.try_send(server).ok().filter(|answer| answer.status == 200)?.number("upload-offset")
    };
    eventually_true("a part of the video", limits::RUN, || offset() > Some(4 << 20));
    let before = offset().unwrap();
    tidegate.kill9();
    assert!(!upload.has_ended(), "the upload was over before the kill");
    tidegate.start_again();
    let after = eventually("the upload's offset", limits::START, offset);
    assert!(after >= before, "{after} after the crash, {before} before it");

    let finished = upload.finish();
    println!("killed at {before}, went on at {after}, {} bytes sent twice", finished.resent_bytes);
    assert_eq!(finished.digest, digest_of_file(&film));

    // The watch page plays it from one of the edges.
    let api = Api { addr: server, token };
    let watch = Request::get(&api.grant(&finished.id, 60.0).watch);
    let source = eventually("a watch page that names an edge", limits::START, || {
        let page = watch.send(server).expect(200).text();
        let mut addresses = page.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
        addresses
            .find(|address| address.starts_with("http://") && address.ends_with("/source"))
            .map(str::to_owned)
    });
    let (edge, source) =
        source.trim_start_matches("http://").split_at(source.find("/g/").unwrap() - "http://".len());
    assert!((first + 1..first + 3).any(|port| edge == format!("127.0.0.1:{port}")), "{edge}");
    let bytes = Request::get(source).send(edge.parse().unwrap()).expect(200);
    assert_eq!(bytes.header("content-type"), Some("video/mp4"));
    assert!(bytes.body == std::fs::read(&film).unwrap());
    let middle = Request::get(source).header("Range", "bytes=1000000-1000009").send(edge.parse().unwrap());
    assert_eq!(middle.expect(206).body, bytes.body[1_000_000..1_000_010]);
}

#[test]
fn without_ffmpeg_videos_play_as_files_and_the_jobs_say_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let first = ports::free_ports_in_a_row(2);
    let server = loopback(first);
    let data_text = data.to_str().unwrap();
    let words = ["--data", data_text, "--listen", &server.to_string(), "--edges", "1", "--transcode", "off"];
    let tidegate = Process::start("tidegate", &words.map(str::to_owned), server, "/healthz");
    assert!(tidegate.output().contains("transcoding is off here"), "{}", tidegate.output());
    let film = video::video();
    let base = format!("http://{server}");
    let token_file = data.join("admin.token");
    let finished = Upload::start(&film, &base, &token_file, &home.path().join("journal"), &[]).finish();
    let token = std::fs::read_to_string(&token_file).unwrap().trim().to_owned();
    let api = Api { addr: server, token };
    assert_eq!(api.asset(&finished.id)["state"], "processing");
    assert_eq!(api.source(&finished.id).expect(200).body.len(), std::fs::read(&film).unwrap().len());
    let jobs = api.request("GET", "/jobs").send(server).expect(200).json();
    let why = "no worker has asked for jobs: transcoding is off here";
    assert_eq!(jobs["jobs"][0]["waiting_for"], why, "{jobs:#}");
}
