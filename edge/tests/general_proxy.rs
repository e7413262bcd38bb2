//! `--forward all`: any HTTP origin, every method, only what the origin allows is stored.
#![allow(clippy::disallowed_methods, reason = "a test's thread may sleep and look at the time")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::{Gate, Object, Origin, TestEdge, cache_status, open, read};
use tidegate_testkit::http::{Connection, Request};

fn scene() -> (Origin, TestEdge) {
    let origin = Origin::start();
    let edge = TestEdge::general(&origin);
    (origin, edge)
}

#[test]
fn a_post_goes_through_and_invalidates_what_it_may_have_changed() {
    let (origin, edge) = scene();
    origin.put("/item", Object::new(&b"before"[..], "one"));
    origin.put("/list", Object::new(&b"list"[..], "one"));
    assert_eq!(edge.get("/item").body, b"before");
    assert_eq!(edge.get("/list").body, b"list");
    let body = support::random_bytes(1, 300_000);
    origin.put("/item", Object::new(&b"after"[..], "two").field("location", "/list"));
    let answer =
        Request::new("POST", "/item").header("X-Mine", "1").body(body.clone()).send(edge.addr).expect(200);
    assert_eq!((answer.body.as_slice(), cache_status(&answer)), (&b"after"[..], "tidegate; fwd=method"));
    let posted = origin.asked().into_iter().find(|asked| asked.method == "POST").unwrap();
    assert!(posted.body == body && posted.header("x-mine") == "1");
    assert_eq!(posted.header("host"), origin.addr.to_string(), "the origin's own name, not the viewer's");
    assert_eq!(posted.header("x-forwarded-for"), "127.0.0.1");
    assert_eq!(edge.get("/item").body, b"after");
    assert!(cache_status(&edge.get("/list")).contains("fwd=uri-miss"));
}

#[test]
fn an_answer_to_a_change_names_the_groups_that_are_forgotten() {
    let (origin, edge) = scene();
    let of = |groups: &str| Object::new(&b"it"[..], "one").field("cache-groups", groups);
    for (path, groups) in [
        ("/a", "\"scripts\""),
        ("/b", "\"styles\", \"scripts\";x=1"),
        ("/c", "\"styles\""),
        ("/d", "scripts"),
    ] {
        origin.put(path, of(groups));
        assert_eq!(edge.get(path).status, 200);
    }
    origin.put("/change", Object::new(&b"done"[..], "one").field("cache-group-invalidation", "\"scripts\""));
    assert_eq!(edge.get("/change").status, 200);
    assert_eq!(cache_status(&edge.get("/a")), "tidegate; hit", "a safe request changes nothing");
    assert_eq!(Request::new("POST", "/change").send(edge.addr).status, 200);
    for (path, expected) in [
        ("/a", "tidegate; fwd=uri-miss; stored"),
        ("/b", "tidegate; fwd=uri-miss; stored"),
        ("/c", "tidegate; hit"),
        ("/d", "tidegate; hit"),
    ] {
        let answer = edge.get(path);
        assert_eq!(cache_status(&answer), expected, "{path}");
        assert!(answer.header("cache-groups").is_some(), "who is downstream may want to know");
    }
}

#[test]
fn other_methods_pass_and_safe_ones_invalidate_nothing() {
    let (origin, edge) = scene();
    origin.put("/item", Object::new(&b"it"[..], "one"));
    assert_eq!(edge.get("/item").status, 200);
    for method in ["OPTIONS", "PROPFIND", "DELETE", "PATCH"] {
        let answer = Request::new(method, "/item").send(edge.addr).expect(200);
        assert_eq!(cache_status(&answer), "tidegate; fwd=method", "{method}");
        let expected = if method == "OPTIONS" { "tidegate; hit" } else { "tidegate; fwd=uri-miss; stored" };
        assert_eq!(cache_status(&edge.get("/item")), expected, "{method}");
    }
}

#[test]
fn only_what_the_origin_allows_is_stored() {
    let (origin, edge) = scene();
    let with = |name: &str, value: &str| Object::new(&b"body"[..], "one").field(name, value);
    for (path, object, reason) in [
        ("/no-store", with("cache-control", "no-store"), "no-store"),
        ("/private", with("cache-control", "private, max-age=60"), "private"),
        ("/silent", Object::bare(&b"body"[..]), "no-freshness"),
        ("/cookie", with("set-cookie", "a=b"), "set-cookie"),
        ("/vary", with("vary", "*"), "vary"),
        ("/created", Object { status: 201, ..with("x", "y") }, "status"),
    ] {
        origin.put(path, object);
        let first = edge.get(path);
        assert_eq!(cache_status(&first), format!("tidegate; fwd=uri-miss; detail={reason}"), "{path}");
        assert_eq!(first.body, b"body");
        let second = edge.get(path);
        assert_eq!(cache_status(&second), "tidegate; fwd=bypass", "{path}");
        assert_eq!(edge.range(path, "bytes=1-2").body.len() % 2, 0, "the viewer's own range is passed on");
    }
    let set_cookie = edge.get("/cookie");
    assert_eq!(set_cookie.header("set-cookie"), Some("a=b"));
}

#[test]
fn an_authorised_answer_is_not_shared_unless_it_says_so() {
    let (origin, edge) = scene();
    origin.put("/mine", Object::new(&b"mine"[..], "one").field("cache-control", "max-age=60"));
    origin.put("/ours", Object::new(&b"ours"[..], "one"));
    let get = |path: &str| Request::get(path).bearer("secret").send(edge.addr);
    assert_eq!(cache_status(&get("/mine")), "tidegate; fwd=uri-miss; detail=authorization");
    assert_eq!(origin.asked()[0].header("authorization"), "Bearer secret");
    assert_eq!(cache_status(&get("/ours")), "tidegate; fwd=uri-miss; stored");
    assert_eq!(cache_status(&edge.get("/ours")), "tidegate; hit");
}

#[test]
fn a_varying_answer_is_kept_for_each_variant_and_never_mixed() {
    let (origin, edge) = scene();
    let get = |language: &str| Request::get("/page").header("Accept-Language", language).send(edge.addr);
    let say = |text: &'static str| {
        origin.put("/page", Object::new(text.as_bytes(), text).field("vary", "Accept-Language"));
    };
    say("hello");
    assert_eq!(get("en").body, b"hello");
    say("moin");
    assert_eq!(get("de").body, b"moin");
    for (language, text) in [("en", "hello"), ("de", "moin")] {
        let answer = get(language);
        assert_eq!((answer.text().as_str(), cache_status(&answer)), (text, "tidegate; hit"));
    }
    assert_eq!(Request::new("DELETE", "/page").send(edge.addr).status, 200);
    say("salut");
    for language in ["en", "de", "fr"] {
        assert_eq!(get(language).body, b"salut", "every variant was invalidated");
    }
}

#[test]
fn a_crowd_of_two_languages_gets_each_its_own() {
    let (origin, edge) = scene();
    let gate = Gate::shut();
    origin.put("/page", Object::new(&b"one for all"[..], "x").field("vary", "Accept-Language").behind(&gate));
    std::thread::scope(|scope| {
        for viewer in 0..20 {
            let edge = &edge;
            scope.spawn(move || {
                let language = ["en", "de"][viewer % 2];
                let answer = Request::get("/page").header("Accept-Language", language).send(edge.addr);
                assert_eq!(answer.body, b"one for all");
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        gate.open();
    });
    let languages: Vec<String> =
        origin.asked().iter().map(|asked| asked.header("accept-language").to_owned()).collect();
    assert_eq!(languages.len(), 2, "{languages:?}");
}

#[test]
fn an_answer_without_end_streams() {
    let (origin, edge) = scene();
    let gate = Gate::shut();
    let events = Object {
        length: false,
        ranges: false,
        ..Object::new(support::random_bytes(1, 64 << 10), "x").field("cache-control", "no-store")
    };
    origin.put("/events", events.behind(&gate));
    gate.let_through(1);
    let (mut connection, head) = open(edge.addr, &Request::get("/events"));
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    assert!(read(&mut connection, 4096).len() >= 4096, "while the origin has more to say");
    gate.open();
}

#[test]
fn what_belongs_to_the_connection_ends_here() {
    let (origin, edge) = scene();
    origin.put(
        "/x",
        Object::new(&b"x"[..], "x").field("connection", "X-Hop").field("x-hop", "1").field("keep-alive", "5"),
    );
    let answer = Request::get("/x")
        .header("Connection", "X-Own")
        .header("X-Own", "1")
        .header("Tidegate-Fleet-Key", "guess")
        .header("X-Forwarded-For", "198.51.100.7")
        .send(edge.addr)
        .expect(200);
    assert_eq!((answer.header("x-hop"), answer.header("keep-alive")), (None, None));
    let asked = &origin.asked()[0];
    assert_eq!((asked.header("x-own"), asked.header("tidegate-fleet-key")), ("", ""));
    assert_eq!(
        (asked.header("via"), asked.header("x-forwarded-for")),
        ("1.1 tidegate", "198.51.100.7, 127.0.0.1")
    );
}

#[test]
fn the_viewers_host_does_not_choose_the_origin() {
    let (origin, edge) = scene();
    origin.put("/x", Object::new(&b"x"[..], "x"));
    let raw = b"GET http://192.0.2.1/x HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n";
    let mut connection = Connection::open(edge.addr).unwrap();
    connection.send(raw).unwrap();
    assert_eq!(connection.response("GET").unwrap().body, b"x");
    assert_eq!(origin.count(), 1);
    assert_eq!(edge.get("/healthz").text(), "ok\n");
}
