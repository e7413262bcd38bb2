//! The command: its output, its exit codes, and what it keeps to itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::{Desk, Fault, Server, command, json_lines};

const MIB: usize = 1 << 20;
const TOKEN: &str = "tg_do-not-show-me";

#[tokio::test]
async fn the_last_line_for_a_file_is_the_documented_object() {
    let (desk, server) = (Desk::with(2 * MIB), Server::with(&[]).await);
    let out = command(&desk.journals(), &server.url).arg("--json").arg(&desk.file).output().await.unwrap();
    assert_eq!(out.status.code(), Some(0));
    let lines = json_lines(&out.stdout);
    assert_eq!(lines[0]["event"], "created");
    let last = lines.last().unwrap().as_object().unwrap();
    let mut keys: Vec<&str> = last.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["digest", "event", "file", "id", "resent_bytes", "size_bytes", "url"]);
    assert_eq!(last["event"], "finished");
    assert_eq!(last["file"], desk.file.to_str().unwrap());
    assert_eq!((&last["size_bytes"], &last["resent_bytes"]), (&(2 * MIB).into(), &0.into()));
}

#[tokio::test]
async fn one_file_that_fails_does_not_stop_the_others_and_the_highest_code_wins() {
    let (desk, server) = (Desk::with(MIB), Server::with(&[("POST", Fault::Answer(413, &[]))]).await);
    let other = desk.dir.path().join("other.bin");
    std::fs::write(&other, b"other").unwrap();
    let mut command = command(&desk.journals(), &server.url);
    command.arg("--json").arg(&desk.file).arg(desk.dir.path()).arg("does-not-exist").arg(&other);
    let out = command.output().await.unwrap();
    assert_eq!(out.status.code(), Some(5));
    let ends: Vec<String> = json_lines(&out.stdout)
        .iter()
        .filter(|line| line["event"] == "failed" || line["event"] == "finished")
        .map(|line| format!("{} {}", line["event"].as_str().unwrap(), line["code"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(ends, ["failed refused", "failed not_a_file", "failed file_unreadable", "finished "]);
}

#[tokio::test]
async fn the_token_is_sent_and_never_shown() {
    let desk = Desk::with(MIB);
    let file = desk.dir.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    for how in ["--token", "--token-file", "environment"] {
        let faults = [
            ("POST", Fault::Answer(503, &[])),
            ("PATCH", Fault::CutAfter(1000)),
            ("HEAD", Fault::Answer(401, &[])),
        ];
        let server = Server::with(&faults).await;
        let mut command = command(&desk.journals(), &server.url);
        match how {
            "--token" => command.args(["--token", TOKEN]),
            "--token-file" => command.arg("--token-file").arg(&file),
            _ => command.env("TIDEGATE_TOKEN", TOKEN),
        };
        let out = command.env("RUST_LOG", "trace").arg(&desk.file).output().await.unwrap();
        assert_eq!(out.status.code(), Some(3));
        let all_said = [out.stdout, out.stderr].concat();
        assert!(!String::from_utf8_lossy(&all_said).contains(TOKEN));
        let bearer = format!("Bearer {TOKEN}");
        assert!(
            server.state(|state| state
                .requests
                .iter()
                .all(|head| head.field("authorization") == Some(&bearer)))
        );
        for journal in desk.journal_files() {
            assert!(!std::fs::read_to_string(&journal).unwrap().contains(TOKEN));
            std::fs::remove_file(journal).unwrap();
        }
    }
    let help = command(&desk.journals(), "http://h")
        .env("TIDEGATE_TOKEN", TOKEN)
        .arg("--help")
        .output()
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains(TOKEN));
}

#[tokio::test]
async fn wrong_options_are_usage_errors() {
    let desk = Desk::with(10);
    for (to, args) in [
        ("ftp://h", vec!["f"]),
        ("http://me:pw@h", vec!["f"]),
        ("http://h", vec!["f", "--parallel", "0"]),
        ("http://h", vec!["f", "--limit-rate", "fast"]),
        ("http://h", vec!["f", "g", "--name", "x"]),
        ("http://h", vec!["f", "--token", "two words"]),
        ("http://h", vec![]),
    ] {
        let out = command(&desk.journals(), to).args(&args).output().await.unwrap();
        assert_eq!(out.status.code(), Some(2), "{to} {args:?}");
    }
}

#[tokio::test]
async fn a_name_can_be_given() {
    let (desk, server) = (Desk::with(10), Server::with(&[]).await);
    let out =
        command(&desk.journals(), &server.url).args(["--name", "x"]).arg(&desk.file).output().await.unwrap();
    assert_eq!(out.status.code(), Some(0));
    let metadata = server.state(|state| state.uploads["u1"].metadata.clone().unwrap());
    assert!(metadata.starts_with("filename eA==,"), "{metadata}");
    assert_eq!(String::from_utf8(out.stdout).unwrap(), format!("{}/watch/u1\n", server.url));
}

#[tokio::test]
async fn the_rate_limit_holds_over_all_parts() {
    let (desk, server) = (Desk::with(4 * MIB), Server::with(&[]).await);
    let began = tokio::time::Instant::now();
    let mut command = command(&desk.journals(), &server.url);
    let out =
        command.args(["--limit-rate", "2MiB/s", "--parallel", "4"]).arg(&desk.file).output().await.unwrap();
    assert_eq!(out.status.code(), Some(0));
    // Never faster than said; how much slower depends on the machine.
    assert!(began.elapsed().as_secs_f64() >= 1.7, "{:?}", began.elapsed());
    assert!(server.asset() == desk.content);
}
