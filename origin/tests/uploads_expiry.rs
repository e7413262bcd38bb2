//! Uploads that nobody goes on with are given up after a time that they are told (tus 1.0, expiration extension).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method};
use support::api::{Answer, As, Origin, request};
use tidegate_origin::housekeeping::tidy_now;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn tus(
    origin: &Origin,
    who: &As,
    method: Method,
    path: &str,
    fields: &[(&'static str, &str)],
    body: &'static str,
) -> Answer {
    let mut asked = request(who, method, path, None);
    *asked.body_mut() = Body::from(body);
    let given = [("tus-resumable", "1.0.0"), ("content-type", "application/offset+octet-stream")];
    for (name, value) in given.iter().chain(fields) {
        asked.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    if body.is_empty() {
        asked.headers_mut().remove("content-type");
    }
    origin.send(asked).await
}

async fn create(origin: &Origin, who: &As, fields: &[(&'static str, &str)]) -> (String, Answer) {
    let answer = tus(origin, who, Method::POST, "/files", fields, "").await.expect(201);
    (answer.header("location").to_owned(), answer)
}

fn files(origin: &Origin) -> usize {
    let shards = std::fs::read_dir(origin.folder.path().join("blobs")).unwrap();
    shards.map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn an_upload_is_given_up_when_it_said_it_would_be_and_not_before() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let (path, created) = create(&origin, &ada, &[("upload-length", "10")]).await;
    assert_eq!(created.header("upload-expires"), "Thu, 04 Jun 2026 20:26:40 GMT", "seven days on");
    origin.hand.advance(6 * DAY);
    let patched =
        tus(&origin, &ada, Method::PATCH, &path, &[("upload-offset", "0")], "bytes").await.expect(204);
    assert_eq!(
        patched.header("upload-expires"),
        "Wed, 10 Jun 2026 20:26:40 GMT",
        "counted from the last bytes"
    );
    origin.hand.advance(6 * DAY);
    tidy_now(&origin.app).await.unwrap();
    let head = tus(&origin, &ada, Method::HEAD, &path, &[], "").await.expect(200);
    assert_eq!(
        (head.header("upload-offset"), head.header("upload-expires")),
        ("5", patched.header("upload-expires"))
    );
    assert_eq!(files(&origin), 1);

    origin.hand.advance(DAY + Duration::from_secs(1));
    tidy_now(&origin.app).await.unwrap();
    tus(&origin, &ada, Method::HEAD, &path, &[], "").await.expect(410);
    tus(&origin, &ada, Method::PATCH, &path, &[("upload-offset", "5")], "bytes")
        .await
        .expect_problem(410, "upload_gone");
    assert_eq!(files(&origin), 0, "the bytes are gone too");
}

#[tokio::test]
async fn a_finished_file_stays_when_the_parts_it_was_made_of_are_given_up() {
    let origin = Origin::start_with(|config| config.trash = std::time::Duration::ZERO).await;
    let ada = origin.token_of("ada").await;
    let partial = [("upload-concat", "partial"), ("upload-length", "5")];
    let (first, _) = create(&origin, &ada, &partial).await;
    let (second, _) = create(&origin, &ada, &partial).await;
    for (path, bytes) in [(&first, "Hello"), (&second, "World")] {
        let last =
            tus(&origin, &ada, Method::PATCH, path, &[("upload-offset", "0")], bytes).await.expect(204);
        assert!(!last.header("upload-expires").is_empty(), "a part by itself is nothing that stays");
    }
    let list = format!("final;{first} {second}");
    let (whole, made) = create(&origin, &ada, &[("upload-concat", &list)]).await;
    assert_eq!(made.header("upload-expires"), "");
    origin.hand.advance(8 * DAY);
    tidy_now(&origin.app).await.unwrap();
    tus(&origin, &ada, Method::HEAD, &first, &[], "").await.expect(410);
    tus(&origin, &ada, Method::HEAD, &whole, &[], "").await.expect(200);
    let source = whole.replace("/files/", "/media/") + "/source";
    assert_eq!(origin.get(&ada, &source).await.expect(200).text, "HelloWorld");
    assert_eq!(files(&origin), 2, "the whole's own names of the bytes");

    origin.delete(&ada, &whole.replace("/files/", "/api/v1/assets/")).await.expect(204);
    assert_eq!(files(&origin), 0, "nothing else holds them");
}
