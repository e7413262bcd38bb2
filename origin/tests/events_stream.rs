//! What happens comes to streams, once, in order, and to those who may know.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Method;
use serde_json::json;
use support::Database;
use support::api::{As, Origin, request};
use support::stream::{Stream, run_events};
use support::worker::{beat, claimed, do_all, fail, source_info, store_part, upload};
use tidegate_origin::events::{self, Kind};
use tidegate_testkit::Redis;
use tidegate_wire::AssetId;

async fn running() -> Origin {
    let origin = Origin::start().await;
    run_events(&origin);
    origin
}

/// Something that can be told of without end.
async fn tell(origin: &Origin, owner: &str, n: u8) {
    origin.hand.advance(Duration::from_millis(1));
    let account = tidegate_origin::catalog::accounts::find_by_login(&origin.app.catalog, owner).await;
    let account = account.unwrap().unwrap().0.id;
    let mut tx = origin.app.catalog.begin().await.unwrap();
    let subject = AssetId::generate(1, [n; 10]);
    let data = json!({ "n": n });
    events::tell(&origin.app, &mut tx, Kind::AssetChanged, subject, Some(&account), data).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_cancelled_tells_what_becomes_of_its_video() {
    let origin = running().await;
    let ada = origin.session_of("ada").await;
    let (mut stream, _) = Stream::open(&origin, &ada, "", None).await;
    upload(&origin, &ada, "video/mp4").await;
    let jobs = origin.get(&ada, "/api/v1/jobs").await.expect(200).json();
    let cancel = format!("/api/v1/jobs/{}/cancel", jobs["jobs"][0]["id"].as_str().unwrap());
    origin.post(&ada, &cancel, json!({})).await.expect(204);
    assert_eq!(stream.kinds(3).await, ["upload.created", "upload.finished", "asset.failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_tells_its_life_and_tells_it_again_from_any_id() {
    let origin = running().await;
    let ada = origin.session_of("ada").await;
    let (mut stream, hello) = Stream::open(&origin, &ada, "", None).await;
    assert_eq!((hello.id, hello.data["head"].as_u64()), (Some(0), Some(0)));
    let id = upload(&origin, &ada, "video/mp4").await;
    do_all(&origin, &source_info(20_000)).await;
    let path = format!("/api/v1/assets/{id}");
    origin.patch(&ada, &path, json!({ "name": "a\nb" })).await.expect_problem(422, "invalid_field");
    origin.patch(&ada, &path, json!({ "name": "tide", "visibility": "public" })).await.expect(200);
    origin.patch(&ada, &path, json!({ "name": "tide" })).await.expect(200);
    origin.delete(&ada, &path).await.expect(204);
    let mut told = Vec::new();
    for _ in 0..6 {
        told.push(stream.next_kept().await);
    }
    let kinds: Vec<&str> = told.iter().map(|event| &*event.kind).collect();
    let life = [
        "upload.created",
        "upload.finished",
        "asset.playable",
        "asset.ready",
        "asset.changed",
        "asset.deleted",
    ];
    assert_eq!(kinds, life);
    for (n, event) in told.iter().enumerate() {
        let seq = n as u64 + 1;
        assert_eq!((event.id, event.data["id"].as_u64()), (Some(seq), Some(seq)), "{event:?}");
        assert_eq!(event.data["type"], event.kind);
        assert!(event.data["account"].is_string() && event.data["at"].is_string(), "{event:?}");
        let subject = if n < 2 { &event.data["upload"] } else { &event.data["asset"] };
        assert_eq!(*subject, id.to_string());
    }
    assert_eq!(told[1].data["asset"], id.to_string());
    assert_eq!(told[4].data["data"]["fields"], json!(["name", "visibility"]));
    // From any id, in the field or in the address, and whatever has happened since.
    for (query, last_id, from) in [("?after=0", None, 0), ("", Some(2), 2), ("?after=0", Some(5), 5)] {
        let (mut again, hello) = Stream::open(&origin, &ada, query, last_id).await;
        assert_eq!((hello.id, hello.data["head"].as_u64()), (Some(from), Some(6)));
        for event in &told[usize::try_from(from).unwrap()..] {
            assert_eq!(again.next_kept().await, *event);
        }
    }
    // What happens after is the next to come, and what is another's never comes.
    let (mut again, _) = Stream::open(&origin, &ada, "", Some(6)).await;
    tell(&origin, "admin", 1).await;
    tell(&origin, "ada", 2).await;
    for stream in [&mut again, &mut stream] {
        let next = stream.next_kept().await;
        assert_eq!((next.id, next.data["data"]["n"].as_u64()), (Some(8), Some(2)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everyones_events_are_for_administrators() {
    let origin = running().await;
    let (ada, admin) = (origin.session_of("ada").await, origin.admin());
    origin.get(&As::Nobody, "/api/v1/events").await.expect_problem(401, "authentication_required");
    origin.get(&ada, "/api/v1/events?all=true").await.expect_problem(403, "forbidden");
    origin.get(&ada, "/api/v1/events?after=x").await.expect_problem(422, "invalid_field");
    origin.get(&ada, "/api/v1/events?since=1").await.expect_problem(422, "invalid_field");
    let (mut all, _) = Stream::open(&origin, &admin, "?all=true", None).await;
    let (mut own, _) = Stream::open(&origin, &admin, "", None).await;
    tell(&origin, "ada", 1).await;
    tell(&origin, "admin", 2).await;
    assert_eq!(all.next_kept().await.data["data"]["n"], 1);
    assert_eq!(all.next_kept().await.data["data"]["n"], 2);
    assert_eq!(own.next_kept().await.data["data"]["n"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_not_kept_is_told_to_begin_anew() {
    let origin = running().await;
    let admin = origin.admin();
    for n in 0..3 {
        tell(&origin, "admin", n).await;
    }
    let (mut stream, _) = Stream::open(&origin, &admin, "?after=0", None).await;
    stream.kinds(3).await;
    origin.hand.advance(Duration::from_secs(8 * 24 * 3600));
    tell(&origin, "admin", 9).await;
    assert_eq!(stream.next_kept().await.id, Some(4));
    tidegate_origin::housekeeping::tidy_now(&origin.app).await.unwrap();
    // What is still there goes on as always; before that, and past the end, nobody knows what was missed.
    for (after, reset) in [(3, false), (4, false), (2, true), (0, true), (5, true), (99, true)] {
        let (mut stream, hello) = Stream::open(&origin, &admin, "", Some(after)).await;
        assert_eq!(hello.data["head"], 4);
        match reset {
            true => {
                let reset = stream.next().await.unwrap();
                assert_eq!((reset.kind.as_str(), reset.id), ("reset", Some(4)), "{after}");
            }
            false if after == 3 => assert_eq!(stream.next_kept().await.id, Some(4)),
            false => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_session_or_the_token_it_was_opened_by() {
    let origin = running().await;
    let session = origin.session_of("ada").await;
    let made = origin.post(&session, "/api/v1/tokens", json!({ "name": "script" })).await.expect(201).json();
    let token = As::Token(made["token"].as_str().unwrap().to_owned());
    let (mut of_session, _) = Stream::open(&origin, &session, "", None).await;
    let (mut of_token, _) = Stream::open(&origin, &token, "", None).await;
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    origin.delete(&session, &path).await.expect(204);
    assert_eq!(of_token.next().await, None);
    tell(&origin, "ada", 1).await;
    assert_eq!(of_session.next_kept().await.kind, "asset.changed");
    origin.delete(&session, "/api/v1/sessions").await.expect(204);
    assert_eq!(of_session.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_streams_share_one_reading_and_a_reader_that_sleeps_holds_nobody_up() {
    let origin = running().await;
    let admin = origin.admin();
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(Stream::open(&origin, &admin, "", None).await.0);
    }
    let (mut sleeper, _) = Stream::open(&origin, &admin, "", None).await;
    // More than wait for one stream and on the way to it, each long enough to be seen by all who listen.
    let many: u64 = 400;
    let listening = streams.into_iter().map(|mut stream| {
        tokio::spawn(async move {
            for seq in 1..=many {
                assert_eq!(stream.next_kept().await.id, Some(seq));
            }
        })
    });
    let listening: Vec<_> = listening.collect();
    for n in 0..many {
        tell(&origin, "admin", u8::try_from(n % 256).unwrap()).await;
    }
    for stream in listening {
        stream.await.unwrap();
    }
    let mut seen = 0;
    while let Some(event) = sleeper.next().await {
        seen = event.id.unwrap();
    }
    assert!(seen < many, "it was let go");
    let (mut again, _) = Stream::open(&origin, &admin, "", Some(seen)).await;
    for seq in seen + 1..=many {
        assert_eq!(again.next_kept().await.id, Some(seq));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_has_as_many_streams_as_it_may_and_a_closed_one_makes_room() {
    let origin = running().await;
    let (ada, admin) = (origin.session_of("ada").await, origin.admin());
    let mut streams = Vec::new();
    for _ in 0..tidegate_origin::limits::STREAMS_PER_ACCOUNT {
        streams.push(Stream::open(&origin, &ada, "", None).await.0);
    }
    let refused = origin.get(&ada, "/api/v1/events").await.expect_problem(429, "too_many_streams");
    assert!(!refused.header("retry-after").is_empty());
    Stream::open(&origin, &admin, "", None).await;
    streams.pop();
    // The body is let go at once, its writer a moment later.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Stream::open(&origin, &ada, "", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_origin_ends_its_streams_and_the_next_goes_on_where_they_were() {
    let origin = running().await;
    let ada = origin.token_of("ada").await;
    let (mut stream, _) = Stream::open(&origin, &ada, "", None).await;
    tell(&origin, "ada", 1).await;
    let last = stream.next_kept().await.id;
    origin.shutdown.cancel();
    assert_eq!(stream.next().await, None);
    // Committed, and nobody there to number it.
    tell(&origin, "ada", 2).await;
    origin.app.catalog.close().await;
    let next = Origin::start_in(origin.folder.clone(), None, |_| {}).await;
    run_events(&next);
    // Its clock begins anew with it.
    next.hand.advance(Duration::from_secs(1));
    tell(&next, "ada", 3).await;
    let (mut again, _) = Stream::open(&next, &ada, "", last).await;
    for n in [2, 3] {
        assert_eq!(again.next_kept().await.data["data"]["n"], n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_told_in_passing() {
    let origin = running().await;
    let ada = origin.session_of("ada").await;
    let (mut stream, _) = Stream::open(&origin, &ada, "", None).await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let probe = claimed(&origin).await;
    support::worker::probed(&origin, &probe, source_info(200_000)).await;
    let encode = claimed(&origin).await;
    let part = support::worker::part(&encode, &support::worker::tracks(&encode)[0], 1, false);
    store_part(&origin, &encode, &part).await;
    beat(&origin, &encode, 0.5, Vec::new()).await.expect(204);
    let progress = stream.next_of("asset.progress").await;
    assert_eq!((progress.id, progress.data["asset"].as_str()), (None, Some(&*id.to_string())));
    let share = progress.data["data"]["progress"].as_f64().unwrap();
    assert!(share > 0.0 && share < 1.0, "{progress:?}");
    // A job that is given up takes its video along, and its owner is told why.
    fail(&origin, &encode, true).await.expect(204);
    let failed = stream.next_of("asset.failed").await;
    assert_eq!(failed.data["data"]["error"]["code"], "made_up");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploads_progress_its_end_and_its_removal_are_told() {
    let origin = running().await;
    let ada = origin.session_of("ada").await;
    let (mut stream, _) = Stream::open(&origin, &ada, "", None).await;
    let tus = |method: Method, path: &str, fields: &[(&str, &str)], body: Body| {
        let mut request = request(&ada, method, path, None);
        *request.body_mut() = body;
        for (name, value) in fields.iter().chain(&[("tus-resumable", "1.0.0")]) {
            request.headers_mut().insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        request
    };
    let created = origin.send(tus(Method::POST, "/files", &[("upload-length", "10")], Body::empty())).await;
    let path = created.expect(201).header("location").to_owned();
    let fields = [("upload-offset", "0"), ("content-type", "application/offset+octet-stream")];
    origin.send(tus(Method::PATCH, &path, &fields, Body::from("tide!"))).await.expect(204);
    // What passes may overtake what is kept.
    let (mut created, mut progress) = (None, None);
    while created.is_none() || progress.is_none() {
        let event = stream.next().await.unwrap();
        let place = if event.kind == "upload.created" { &mut created } else { &mut progress };
        *place = Some(event);
    }
    let (created, progress) = (created.unwrap(), progress.unwrap());
    assert_eq!(created.data["data"]["length_bytes"], 10);
    assert!(created.data.get("asset").is_none());
    assert_eq!(
        (progress.data["data"]["offset_bytes"].as_u64(), progress.data["data"]["length_bytes"].as_u64()),
        (Some(5), Some(10))
    );
    origin.send(tus(Method::DELETE, &path, &[], Body::empty())).await.expect(204);
    let removed = stream.next_kept().await;
    assert_eq!((removed.kind.as_str(), &removed.data["data"]["reason"]), ("upload.removed", &json!("ended")));
    // One that nobody goes on with is told of too.
    origin.send(tus(Method::POST, "/files", &[("upload-length", "10")], Body::empty())).await.expect(201);
    assert_eq!(stream.next_kept().await.kind, "upload.created");
    origin.hand.advance(Duration::from_secs(8 * 24 * 3600));
    tidegate_origin::housekeeping::tidy_now(&origin.app).await.unwrap();
    let removed = stream.next_kept().await;
    assert_eq!(
        (removed.kind.as_str(), &removed.data["data"]["reason"]),
        ("upload.removed", &json!("expired"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_one_origin_comes_to_the_streams_of_the_other() {
    let (redis, database) = (Redis::start(), Database::postgres());
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let start = || {
        let url = redis.url();
        Origin::start_in(folder.clone(), Some(&database.options), |config| config.redis_url = Some(url))
    };
    let (first, second) = (start().await, start().await);
    run_events(&first);
    run_events(&second);
    let ada = first.token_of("ada").await;
    let (mut here, _) = Stream::open(&first, &ada, "", None).await;
    let (mut there, _) = Stream::open(&second, &ada, "", None).await;
    let id = upload(&first, &ada, "video/mp4").await;
    do_all(&second, &source_info(20_000)).await;
    for stream in [&mut here, &mut there] {
        let kinds = stream.kinds(4).await;
        assert_eq!(kinds, ["upload.created", "upload.finished", "asset.playable", "asset.ready"]);
    }
    // What passes needs Redis, what is kept does not.
    let probe = async {
        upload(&first, &ada, "video/mp4").await;
        let claim = claimed(&first).await;
        beat(&first, &claim, 0.5, Vec::new()).await.expect(204);
    };
    probe.await;
    assert_eq!(there.next_of("asset.progress").await.data["data"]["progress"], 0.5);
    redis.stop();
    let path = format!("/api/v1/assets/{id}");
    first.patch(&ada, &path, json!({ "name": "without Redis" })).await.expect(200);
    assert_eq!(there.next_of("asset.changed").await.data["data"]["name"], "without Redis");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_is_told_to_the_owner() {
    let origin = running().await;
    let ada = origin.session_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let path = format!("/api/v1/assets/{id}");
    origin.patch(&ada, &path, json!({ "visibility": "public" })).await.expect(200);
    let (mut stream, _) = Stream::open(&origin, &ada, "", None).await;
    let play = origin.post(&As::Nobody, "/api/v1/plays", json!({ "asset": id })).await.expect(201).json();
    let beat = json!({ "position_s": 5.0, "watched_s": 5.0 });
    let play = format!("/api/v1/plays/{}", play["id"].as_str().unwrap());
    origin.post(&As::Nobody, &play, beat).await.expect(204);
    let heard = tidegate_origin::plays::flush(&origin.app).await.unwrap();
    events::passing::viewers(&origin.app, heard).await.unwrap();
    let viewers = stream.next_of("viewers").await;
    assert_eq!(
        (viewers.data["asset"].as_str(), viewers.data["data"]["viewers_now"].as_u64()),
        (Some(&*id.to_string()), Some(1))
    );
}
