//! Mail, taken by a real SMTP server: what is told, to whom, once; and what a name in it cannot do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::api::{As, Origin, PASSWORD};
use support::worker::{claimed, do_all, fail, source_info, upload, upload_with};
use tidegate_origin::config::Secret;
use tidegate_origin::events::sequencer;
use tidegate_origin::mail::send_due;
use tidegate_testkit::supervise::{Recipe, Supervised};
use tidegate_testkit::{eventually, limits, ports};

/// A mail server that keeps what it takes.
struct Server {
    process: Supervised,
    port: u16,
}

impl Server {
    fn start(port: u16, refusals: u32) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let python = root.join(".venv/bin/python");
        assert!(python.exists(), "{} is missing: run scripts/install-test-tools.sh", python.display());
        let script = root.join("tests/interop/smtp_server.py");
        let arguments = [script.display().to_string(), port.to_string(), refusals.to_string()];
        let process = Recipe::new(&python).args(arguments).start();
        let server = Self { process, port };
        eventually("the mail server", limits::START, || {
            server.lines().first().is_some_and(|line| line["ready"] == true).then_some(())
        });
        server
    }

    fn new() -> Self {
        Self::start(ports::free_port(), 0)
    }

    fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    fn lines(&self) -> Vec<Value> {
        self.process.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What it has taken, once there are so many.
    fn messages(&self, many: usize) -> Vec<Value> {
        eventually("mail", limits::START, || {
            let taken: Vec<Value> =
                self.lines().into_iter().filter(|line| line["recipients"].is_array()).collect();
            (taken.len() >= many).then_some(taken)
        })
    }
}

async fn origin(server: &Server) -> Origin {
    let url = server.url();
    Origin::start_with(|config| {
        config.telling.smtp_url = Some(Secret::new(url));
        config.telling.mail_from = Some("Tidegate <tide@example.org>".to_owned());
        config.public_url = Some("https://tide.example".to_owned());
    })
    .await
}

/// Sends what is due; says how many messages were tried.
async fn send(origin: &Origin) -> usize {
    sequencer::number_all(&origin.app).await.unwrap();
    let mut tried = 0;
    loop {
        match send_due(&origin.app).await.unwrap() {
            0 => return tried,
            more => tried += more,
        }
    }
}

fn header<'a>(message: &'a Value, name: &str) -> &'a str {
    let found = message["headers"].as_array().unwrap().iter().find(|pair| pair[0] == name);
    found.map_or("", |pair| pair[1].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_are_told_that_a_video_is_ready_or_cannot_be_made() {
    let server = Server::new();
    let origin = origin(&server).await;
    let ada = origin.session_of("ada").await;
    let id = upload_with(&origin, &ada, &[("filename", "tide & time.mp4")]).await;
    do_all(&origin, &source_info(20_000)).await;
    assert_eq!(send(&origin).await, 1);
    assert_eq!(send(&origin).await, 0, "once");
    upload_with(&origin, &ada, &[("filename", "noise.mp4")]).await;
    fail(&origin, &claimed(&origin).await, true).await.expect(204);
    assert_eq!(send(&origin).await, 1);
    let messages = server.messages(2);
    let (ready, failed) = (&messages[0], &messages[1]);
    assert_eq!(ready["recipients"], json!(["ada@example.org"]));
    assert_eq!(
        (ready["sender"].as_str(), ready["type"].as_str()),
        (Some("tide@example.org"), Some("multipart/alternative"))
    );
    assert_eq!(header(ready, "From"), "Tidegate <tide@example.org>");
    assert_eq!(header(ready, "Subject"), "tide & time.mp4 is ready");
    assert!(header(ready, "Message-ID").ends_with("@example.org>"));
    let link = format!("https://tide.example/watch/{id}");
    assert!(ready["plain"].as_str().unwrap().contains(&link), "{ready}");
    let html = ready["html"].as_str().unwrap();
    assert!(html.contains(&format!("href=\"{link}\"")) && html.contains("tide &amp; time.mp4"), "{html}");
    assert_eq!(header(failed, "Subject"), "noise.mp4 could not be prepared");
    assert!(failed["plain"].as_str().unwrap().contains("A failure of a test."), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_says_what_it_wants_mail_about() {
    let server = Server::new();
    let origin = origin(&server).await;
    let (ada, path) = (origin.session_of("ada").await, "/api/v1/account/notifications");
    let shown = origin.get(&ada, path).await.expect(200).json();
    assert_eq!(shown, json!({ "mail_on": ["ready", "failed"], "mail": true }));
    for body in [json!({}), json!({ "mail_on": ["spam"] }), json!({ "mail_on": "ready" })] {
        origin.call(&ada, http::Method::PUT, path, Some(body)).await.expect_problem(422, "invalid_field");
    }
    let only_failed = json!({ "mail_on": ["failed"] });
    origin.call(&ada, http::Method::PUT, path, Some(only_failed)).await.expect(200);
    upload(&origin, &ada, "video/mp4").await;
    do_all(&origin, &source_info(20_000)).await;
    assert_eq!(send(&origin).await, 0);
    upload(&origin, &ada, "video/mp4").await;
    fail(&origin, &claimed(&origin).await, true).await.expect(204);
    assert_eq!(send(&origin).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_adds_no_header_and_no_recipient() {
    let server = Server::new();
    let origin = origin(&server).await;
    let ada = origin.session_of("ada").await;
    let name = "x\r\nBcc: eve@example.org\r\nSubject: <b>hi</b>\u{202e}\r\n\r\n<script>alert(1)</script> 🌊";
    upload_with(&origin, &ada, &[("filename", name)]).await;
    do_all(&origin, &source_info(20_000)).await;
    assert_eq!(send(&origin).await, 1);
    let message = &server.messages(1)[0];
    assert_eq!(message["recipients"], json!(["ada@example.org"]));
    assert_eq!(header(message, "Bcc"), "");
    let names = message["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap());
    assert_eq!(names.filter(|name| *name == "Subject").count(), 1);
    assert!(!header(message, "Subject").contains(['\r', '\n', '\u{202e}']));
    assert!(!message["html"].as_str().unwrap().contains("<script"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_or_busy_gets_the_message_later_and_one_that_refuses_does_not() {
    let port = ports::free_port();
    let origin = origin(&Server { process: Recipe::new("true").start(), port }).await;
    let ada = origin.session_of("ada").await;
    upload(&origin, &ada, "video/mp4").await;
    do_all(&origin, &source_info(20_000)).await;
    assert_eq!(send(&origin).await, 1, "nobody listens");
    assert_eq!(send(&origin).await, 0, "it rests");
    let server = Server::start(port, 1);
    let mut tried = 0;
    while server.lines().iter().all(|line| !line["recipients"].is_array()) {
        origin.hand.advance(Duration::from_secs(60));
        tried += send(&origin).await;
        assert!(tried < 10);
    }
    assert_eq!((tried, server.messages(1).len()), (2, 1), "once refused in passing, once taken");
    assert_eq!(send(&origin).await, 0);
    // A mailbox that is not there is not asked for again.
    let eve = json!({ "username": "eve", "email": "nobody@example.org", "password": PASSWORD });
    origin.post(&As::Nobody, "/api/v1/accounts", eve).await.expect(201);
    let eve = origin.log_in("eve").await;
    upload(&origin, &eve, "video/mp4").await;
    do_all(&origin, &source_info(20_000)).await;
    assert_eq!(send(&origin).await, 1);
    origin.hand.advance(Duration::from_secs(24 * 3600));
    assert_eq!(send(&origin).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_password_is_set_anew_by_the_link_in_the_message() {
    let server = Server::new();
    let origin = origin(&server).await;
    let ada = origin.session_of("ada").await;
    assert_eq!(origin.get(&As::Nobody, "/api/v1/server").await.expect(200).json()["mail"], true);
    for email in ["ada@example.org", "stranger@example.org"] {
        origin.post(&As::Nobody, "/api/v1/password-resets", json!({ "email": email })).await.expect(202);
    }
    // What it does for a known address happens after the answer.
    let mut tried = 0;
    while tried == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        tried = send(&origin).await;
    }
    let message = &server.messages(1)[0];
    assert_eq!(message["recipients"], json!(["ada@example.org"]));
    let plain = message["plain"].as_str().unwrap();
    let token = plain.split_once("https://tide.example/reset#").unwrap().1.lines().next().unwrap();
    let body = json!({ "token": token, "new_password": "another horse" });
    origin.post(&As::Nobody, "/api/v1/password-resets/confirm", body).await.expect(204);
    origin.get(&ada, "/api/v1/account").await.expect_problem(401, "authentication_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_nothing_is_written_and_a_wrong_one_is_told_at_the_start() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    upload(&origin, &ada, "video/mp4").await;
    do_all(&origin, &source_info(20_000)).await;
    assert_eq!(send(&origin).await, 0);
    let shown = origin.get(&ada, "/api/v1/account/notifications").await.expect(200).json();
    assert_eq!(shown["mail"], false);
    use tidegate_origin::config::TellingOptions;
    use tidegate_origin::mail::Post;
    let new = |url: &str, from: Option<&str>| {
        let options = TellingOptions {
            smtp_url: Some(Secret::new(url)),
            mail_from: from.map(str::to_owned),
            ..TellingOptions::default()
        };
        Post::new(&options).err().map(|error| error.to_string())
    };
    assert_eq!(new("smtp://u:p@h:25?tls=required", Some("a@b.example")), None);
    assert_eq!(new("smtps://h", Some("A B <a@b.example>")), None);
    for (url, from) in [
        ("http://u:hunter2@h", Some("a@b")),
        ("u:hunter2@h", Some("a@b")),
        ("smtp://u:hunter2@h?tls=maybe", Some("a@b")),
        ("smtp://u:hunter2@h", None),
        ("smtp://u:hunter2@h", Some("nobody")),
    ] {
        let why = new(url, from).expect(url);
        assert!(!why.contains("hunter2"), "{why}");
    }
}
