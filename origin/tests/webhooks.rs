//! Webhooks: each event once and in order, whatever receivers do, and nowhere it must not go.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use support::Database;
use support::api::{As, Origin};
use support::worker::{do_all, source_info, upload};
use tidegate_origin::config::OriginConfig;
use tidegate_origin::events::sequencer;
use tidegate_origin::webhooks::{Sender, send_due, signature};
use tidegate_testkit::Receiver;
use tidegate_testkit::receiver::{Received, Reply};

const HOOKS: &str = "/api/v1/webhooks";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn inside(config: &mut OriginConfig) {
    config.telling.webhooks_allow_private = true;
    config.telling.webhook_timeout = 1;
}

async fn origin() -> Origin {
    Origin::start_with(inside).await
}

/// Makes a webhook; its id and its secret.
async fn hook(origin: &Origin, who: &As, url: &str) -> (String, String) {
    let made = origin.post(who, HOOKS, json!({ "url": url })).await.expect(201).json();
    (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

/// Sends what is due until nothing is; says how many attempts that took.
async fn send(origin: &Origin) -> usize {
    sequencer::number_all(&origin.app).await.unwrap();
    let mut attempts = 0;
    loop {
        match send_due(&origin.app).await.unwrap() {
            0 => return attempts,
            begun => attempts += begun,
        }
    }
}

async fn deliveries(origin: &Origin, who: &As, query: &str) -> Vec<Value> {
    let list = origin.get(who, &format!("/api/v1/deliveries{query}")).await.expect(200).json();
    list["deliveries"].as_array().unwrap().clone()
}

fn kinds(received: &[Received]) -> Vec<String> {
    received.iter().map(Received::kind).collect()
}

const LIFE: [&str; 4] = ["upload.created", "upload.finished", "asset.playable", "asset.ready"];

#[tokio::test(flavor = "multi_thread")]
async fn events_are_signed_and_sent_once_and_in_order() {
    let (origin, receiver) = (origin().await, Receiver::willing());
    let ada = origin.session_of("ada").await;
    let (id, secret) = hook(&origin, &ada, &receiver.url("/hook?a=b")).await;
    let asset = upload(&origin, &ada, "video/mp4").await;
    upload(&origin, &origin.admin(), "text/plain").await;
    do_all(&origin, &source_info(20_000)).await;
    assert_eq!(send(&origin).await, 4);
    assert_eq!(send(&origin).await, 0);
    let received = receiver.received();
    assert_eq!(kinds(&received), LIFE);
    let ids: HashSet<&str> = received.iter().map(Received::id).collect();
    assert_eq!(ids.len(), 4);
    for (n, one) in received.iter().enumerate() {
        assert_eq!(one.path, "/hook?a=b");
        assert_eq!(one.header("content-type"), "application/json");
        assert!(one.id().starts_with("evt_") && !one.id().contains('.'), "{one:?}");
        let timestamp: u64 = one.header("webhook-timestamp").parse().unwrap();
        assert_eq!(timestamp, origin.app.clock.unix_s());
        let signed = signature::sign(&secret, one.id(), timestamp, &one.body).unwrap();
        assert_eq!(one.header("webhook-signature"), signed);
        let body = one.json();
        assert!(
            body["timestamp"].is_string() && body["account"].is_string() && body["data"].is_object(),
            "{body}"
        );
        let subject = if n < 2 { &body["upload"] } else { &body["asset"] };
        assert_eq!(*subject, asset.to_string());
    }
    let listed = deliveries(&origin, &ada, "?state=delivered").await;
    assert_eq!(listed.len(), 4);
    assert_eq!(listed[0]["event"], json!({ "id": received[3].id(), "type": "asset.ready" }));
    assert_eq!((listed[0]["attempts"].as_u64(), listed[0]["response_status"].as_u64()), (Some(1), Some(204)));
    assert_eq!((&listed[0]["webhook"], &listed[0]["asset"]), (&json!(id), &json!(asset.to_string())));
    assert_eq!(listed[0].get("account"), None, "whose it is is for administrators");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_hangs_and_is_late_gets_each_event_in_order() {
    let origin = origin().await;
    let ada = origin.session_of("ada").await;
    // What it takes counts, also where we do not hear that it has.
    let receiver = Receiver::start(|_, before| match before {
        0 => Reply::status(500),
        1 => Reply::Hang,
        2 => Reply::Cut,
        3 => Reply::Late(Duration::from_millis(1500), 200),
        4 => Reply::status(302),
        5 => Reply::Endless,
        8 => Reply::status(429),
        _ => Reply::status(200),
    });
    hook(&origin, &ada, &receiver.url("/")).await;
    upload(&origin, &ada, "video/mp4").await;
    do_all(&origin, &source_info(20_000)).await;
    let mut rounds = 0;
    while receiver.received().len() < 4 + 6 {
        send(&origin).await;
        origin.hand.advance(Duration::from_secs(400));
        rounds += 1;
        assert!(rounds < 50, "{:?}", kinds(&receiver.received()));
    }
    send(&origin).await;
    let received = receiver.received();
    // Each event's effect once: whoever goes by the id.
    let mut seen = HashSet::new();
    let taken: Vec<Received> =
        received.iter().filter(|one| seen.insert(one.id().to_owned())).cloned().collect();
    assert_eq!(kinds(&taken), LIFE);
    // Nothing overtakes: a later event comes only when the one before was taken.
    let mut runs = kinds(&received);
    runs.dedup();
    assert_eq!(runs, LIFE);
    let times: Vec<u64> =
        received.iter().map(|one| one.header("webhook-timestamp").parse().unwrap()).collect();
    assert!(times.is_sorted() && times.first() < times.last(), "the time is that of the attempt: {times:?}");
    assert!(deliveries(&origin, &ada, "?state=pending").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_grow_and_a_receiver_may_ask_for_more() {
    let origin = origin().await;
    let ada = origin.session_of("ada").await;
    let receiver = Receiver::start(|_, before| match before {
        1 => Reply::Status(503, vec![("Retry-After", "3600".to_owned())]),
        _ => Reply::status(500),
    });
    hook(&origin, &ada, &receiver.url("/")).await;
    upload(&origin, &ada, "text/plain").await;
    assert_eq!(send(&origin).await, 1);
    let second = Duration::from_secs(1);
    origin.hand.advance(2 * second);
    assert_eq!(send(&origin).await, 0, "half of the first pause at least");
    origin.hand.advance(3 * second);
    assert_eq!(send(&origin).await, 1);
    origin.hand.advance(3590 * second);
    assert_eq!(send(&origin).await, 0);
    origin.hand.advance(11 * second);
    assert_eq!(send(&origin).await, 1);
    let pending = deliveries(&origin, &ada, "?state=pending").await;
    assert_eq!(pending.iter().map(|one| one["attempts"].as_u64().unwrap()).sum::<u64>(), 3);
    assert!(pending.iter().all(|one| one["next_attempt_at"].is_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_takes_for_three_days_is_given_up_and_what_comes_later_goes_on() {
    let origin = origin().await;
    let ada = origin.session_of("ada").await;
    let receiver =
        Receiver::start(
            |one, _| {
                if one.kind() == "upload.created" { Reply::status(500) } else { Reply::status(200) }
            },
        );
    hook(&origin, &ada, &receiver.url("/")).await;
    upload(&origin, &ada, "text/plain").await;
    let mut attempts = send(&origin).await;
    for _ in 0..(3 * 8) {
        origin.hand.advance(DAY / 8);
        attempts += send(&origin).await;
    }
    assert!(attempts > 10, "{attempts}");
    let received = receiver.received();
    assert_eq!(received.last().unwrap().kind(), "upload.finished");
    assert!(received.iter().rev().skip(1).all(|one| one.kind() == "upload.created"));
    let failed = deliveries(&origin, &ada, "?state=failed").await;
    assert_eq!((failed.len(), &failed[0]["event"]["type"]), (1, &json!("upload.created")));
    assert_eq!(failed[0]["error"], "The receiver answered 500.");
    // Its owner may have it sent once more, under the same id.
    let replay = format!("/api/v1/deliveries/{}/replay", failed[0]["id"].as_str().unwrap());
    let bob = origin.session_of("bob").await;
    origin.post(&bob, &replay, json!({})).await.expect_problem(404, "delivery_not_found");
    origin.post(&ada, &replay, json!({})).await.expect(202);
    assert_eq!(send(&origin).await, 1);
    assert_eq!(receiver.received().last().unwrap().id(), received[0].id());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_not_sent_to_until_its_owner_says_so() {
    let origin = origin().await;
    let ada = origin.session_of("ada").await;
    let receiver = Receiver::start(|_, before| Reply::status(if before == 0 { 410 } else { 200 }));
    let (id, _) = hook(&origin, &ada, &receiver.url("/")).await;
    upload(&origin, &ada, "text/plain").await;
    assert_eq!(send(&origin).await, 1);
    let path = format!("{HOOKS}/{id}");
    let shown = origin.get(&ada, &path).await.expect(200).json();
    assert_eq!((&shown["enabled"], &shown["disabled_why"]), (&json!(false), &json!("gone")));
    upload(&origin, &ada, "text/plain").await;
    origin.hand.advance(DAY);
    assert_eq!(send(&origin).await, 0);
    origin.post(&ada, &format!("{path}/test"), json!({})).await.expect_problem(409, "webhook_disabled");
    let shown = origin.patch(&ada, &path, json!({ "enabled": true })).await.expect(200).json();
    assert_eq!((&shown["enabled"], shown.get("disabled_why")), (&json!(true), None));
    // What was told meanwhile was not for it; what had been on its way goes on.
    assert_eq!(send(&origin).await, 1);
    assert_eq!(receiver.received().last().unwrap().kind(), "upload.finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_sent_beside_everything_else() {
    let origin = origin().await;
    let ada = origin.session_of("ada").await;
    let receiver =
        Receiver::start(|one, _| Reply::status(if one.kind() == "webhook.test" { 200 } else { 500 }));
    let (id, _) = hook(&origin, &ada, &receiver.url("/")).await;
    upload(&origin, &ada, "text/plain").await;
    send(&origin).await;
    let tested = origin.post(&ada, &format!("{HOOKS}/{id}/test"), json!({})).await.expect(202).json();
    assert_eq!(send(&origin).await, 1);
    let sent = receiver.received().last().unwrap().json();
    assert_eq!((&sent["type"], &sent["data"]["webhook"]), (&json!("webhook.test"), &json!(id)));
    let listed = deliveries(&origin, &ada, "?state=delivered").await;
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &tested["delivery"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_shown_once_and_only_owners_see_their_webhooks() {
    let origin = origin().await;
    let (ada, bob) = (origin.session_of("ada").await, origin.session_of("bob").await);
    let (id, secret) = hook(&origin, &ada, "http://127.0.0.1:1/").await;
    assert!(secret.starts_with("whsec_"));
    let path = format!("{HOOKS}/{id}");
    for answer in [
        origin.get(&ada, &path).await.expect(200),
        origin.get(&ada, HOOKS).await.expect(200),
        origin.patch(&ada, &path, json!({ "description": "x" })).await.expect(200),
    ] {
        assert!(!answer.text.contains("whsec_") && !answer.text.contains("secret"), "{}", answer.text);
    }
    origin.get(&As::Nobody, HOOKS).await.expect_problem(401, "authentication_required");
    for who in [&bob, &origin.admin()] {
        assert!(origin.get(who, HOOKS).await.expect(200).json()["webhooks"].as_array().unwrap().is_empty());
        origin.get(who, &path).await.expect_problem(404, "webhook_not_found");
        origin.patch(who, &path, json!({ "enabled": false })).await.expect_problem(404, "webhook_not_found");
        origin.delete(who, &path).await.expect_problem(404, "webhook_not_found");
        origin.post(who, &format!("{path}/test"), json!({})).await.expect_problem(404, "webhook_not_found");
    }
    origin.get(&bob, &format!("{path}/deliveries")).await.expect_problem(404, "webhook_not_found");
    // Administrators see what was sent, and whose it is.
    upload(&origin, &ada, "text/plain").await;
    sequencer::number_all(&origin.app).await.unwrap();
    assert!(deliveries(&origin, &bob, "").await.is_empty());
    let all = deliveries(&origin, &origin.admin(), "").await;
    assert_eq!(all.len(), 2);
    assert!(all[0]["account"].is_string());
    origin.delete(&ada, &path).await.expect(204);
    assert!(deliveries(&origin, &ada, "").await.is_empty());
    for id in ["x", "%00", "..", &"x".repeat(500)] {
        origin.get(&ada, &format!("{HOOKS}/{id}")).await.expect_problem(404, "webhook_not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_can_be_sent_to_is_taken() {
    let origin = origin().await;
    let ada = origin.session_of("ada").await;
    for body in [
        json!({ "url": "ftp://example.org/" }),
        json!({ "url": "https://u:p@example.org/" }),
        json!({ "url": "https://example.org/", "events": ["asset.exploded"] }),
        json!({ "url": "https://example.org/", "description": "x".repeat(201) }),
        json!({ "url": "https://example.org/", "description": "a\u{0}b" }),
        json!({ "url": "https://example.org/", "secret": "mine" }),
    ] {
        origin.post(&ada, HOOKS, body).await.expect_problem(422, "invalid_field");
    }
    for _ in 0..tidegate_origin::limits::WEBHOOKS_PER_ACCOUNT {
        hook(&origin, &ada, "https://example.org/").await;
    }
    let one_more = json!({ "url": "https://example.org/" });
    origin.post(&ada, HOOKS, one_more).await.expect_problem(422, "invalid_field");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_inside_the_network_is_connected_to() {
    // A receiver that would take anything, and an origin that must not reach it.
    let (origin, receiver) = (Origin::start().await, Receiver::willing());
    let ada = origin.session_of("ada").await;
    let port = receiver.addr().port();
    for host in
        ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:7f00:1]", "127.0.0.1.", "0"]
    {
        let url = format!("http://{host}:{port}/");
        origin.post(&ada, HOOKS, json!({ "url": url })).await.expect_problem(422, "invalid_field");
    }
    // A name is another matter: what it stands for is looked at when it is connected to, each time.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let sender = Sender::new(false, Duration::from_secs(5)).unwrap();
    let open = Sender::new(true, Duration::from_secs(5)).unwrap();
    let fields = || {
        ["webhook-id", "webhook-timestamp", "webhook-signature"]
            .map(|name| (http::HeaderName::from_static(name), http::HeaderValue::from_static("1")))
    };
    for name in [name.trim(), "ip6-localhost", "ip6-loopback"] {
        let refused = sender.send(&format!("http://{name}:{port}/"), fields(), "{}".to_owned()).await;
        let why = refused.expect_err("a name that stands for an address inside");
        assert!(why.contains("No connection"), "{name}: {why}");
    }
    let url = receiver.url("/");
    assert!(sender.send(&url, fields(), "{}".to_owned()).await.is_err());
    assert!(receiver.received().is_empty());
    assert!(open.send(&url, fields(), "{}".to_owned()).await.is_ok());
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_origins_send_nothing_twice() {
    let database = Database::postgres();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let start = || Origin::start_in(folder.clone(), Some(&database.options), inside);
    let (first, second) = (start().await, start().await);
    let receiver = Receiver::start(|_, _| Reply::Late(Duration::from_millis(20), 200));
    let ada = first.token_of("ada").await;
    hook(&first, &ada, &receiver.url("/")).await;
    for _ in 0..8 {
        upload(&first, &ada, "text/plain").await;
    }
    let (one, other) = tokio::join!(send(&first), send(&second));
    send(&first).await;
    assert!(one + other <= 16);
    let received = receiver.received();
    let ids: HashSet<&str> = received.iter().map(Received::id).collect();
    assert_eq!((ids.len(), received.len()), (16, 16));
}
