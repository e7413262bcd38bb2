//! Ranges and conditions of `/media/{asset}/source` (RFC 9110 sections 13 and 14), against the bytes themselves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use site::{Origin, Site};
use tidegate_testkit::Random;
use tidegate_testkit::files::random_bytes;
use tidegate_testkit::http::{Connection, Request, Response};
use tidegate_testkit::tus::id_of;

const SIZE: u64 = 1_300_000;

struct Film {
    origin: Origin,
    site: Site,
    bytes: Vec<u8>,
    path: String,
}

impl Film {
    /// An asset of three segments: a whole out of parts.
    fn new() -> Self {
        let site = Site::embedded();
        let origin = site.start();
        let bytes = random_bytes(1, usize::try_from(SIZE).unwrap());
        let tus = origin.tus();
        let mut parts = Vec::new();
        for piece in [&bytes[..300_000], &bytes[300_000..300_001], &bytes[300_001..]] {
            let create = tus.request("POST", "/files").header("Upload-Concat", "partial");
            let create = create.header("Upload-Length", piece.len());
            let part = tidegate_testkit::tus::path_of(&origin.send(&create).expect(201));
            let _ = origin.send(&tus.patch(&part, 0, piece)).expect(204);
            parts.push(part);
        }
        let create =
            tus.request("POST", "/files").header("Upload-Concat", format!("final;{}", parts.join(" ")));
        let created = origin.send(&create).expect(201);
        let path = tidegate_testkit::tus::path_of(&created);
        Self { origin, site, bytes, path }
    }

    fn request(&self, method: &str) -> Request {
        let target = format!("/media/{}/source", id_of(&self.path));
        Request::new(method, &target).bearer(&self.origin.token)
    }

    fn get(&self, fields: &[(&str, &str)]) -> Response {
        self.origin.send(&self.request("GET").headers(fields.iter().copied()))
    }

    fn range(&self, range: &str) -> Response {
        self.get(&[("Range", range)])
    }

    fn at(&self, from: u64, to: u64) -> &[u8] {
        &self.bytes[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()]
    }
}

#[test]
fn any_single_range_is_exactly_those_bytes() {
    let film = Film::new();
    let mut connection = Connection::open(film.origin.addr).unwrap();
    let mut random = Random::seeded(7);
    let edges = [0, 1, 262_143, 262_144, 299_999, 300_000, 300_001, SIZE - 1];
    for n in 0..200u64 {
        let mut position = || match random.within(&(0..=2)) {
            0 => edges[usize::try_from(random.within(&(0..=7))).unwrap()],
            _ => random.within(&(0..=SIZE - 1)),
        };
        let (a, b) = (position(), position());
        let (first, last) = (a.min(b), a.max(b));
        let (asked, from, to) = match n % 4 {
            0 => (format!("bytes={first}-"), first, SIZE),
            1 => (format!("bytes=-{}", last + 1), SIZE - (last + 1), SIZE),
            2 => (format!("bytes={first}-{}", SIZE + last), first, SIZE),
            _ => (format!("bytes={first}-{last}"), first, last + 1),
        };
        let answer = connection.exchange(&film.request("GET").header("Range", &asked)).unwrap().expect(206);
        assert!(answer.whole && answer.body == film.at(from, to), "{asked}");
        assert_eq!(answer.number("content-length"), Some(to - from), "{asked}");
        assert_eq!(
            answer.header("content-range"),
            Some(&*format!("bytes {from}-{}/{SIZE}", to - 1)),
            "{asked}"
        );
    }
}

#[test]
fn the_whole_has_its_fields_and_head_has_them_too() {
    let film = Film::new();
    let whole = film.get(&[]).expect(200);
    assert!(whole.whole && whole.body == film.bytes);
    let head = film.origin.send(&film.request("HEAD").header("Range", "bytes=0-0")).expect(200);
    let etag = format!("\"blake3-{}\"", blake3::hash(&film.bytes).to_hex());
    for answer in [&whole, &head] {
        assert_eq!(answer.header("etag"), Some(&*etag), "invariant 4");
        assert_eq!(answer.header("accept-ranges"), Some("bytes"));
        assert_eq!(answer.number("content-length"), Some(SIZE));
        assert_eq!(answer.header("content-range"), None);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("last-modified").is_some());
        assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    }
    assert!(head.body.is_empty());
}

/// The body is byte for byte what RFC 9110 section 14.6 shows, and as long as it said.
#[test]
fn several_ranges_come_as_parts_with_an_exact_length() {
    let film = Film::new();
    for (asked, ranges) in [
        ("bytes=0-0,-1", vec![(0, 1), (SIZE - 1, SIZE)]),
        ("bytes=299990-300009, 5-9", vec![(299_990, 300_010), (5, 10)]),
        ("bytes=0-9,20-29,40-400039,9999999-", vec![(0, 10), (20, 30), (40, 400_040)]),
    ] {
        let answer = film.range(asked).expect(206);
        assert!(answer.whole, "{asked}");
        assert_eq!(answer.header("content-range"), None);
        let boundary =
            answer.header("content-type").unwrap().strip_prefix("multipart/byteranges; boundary=").unwrap();
        let mut expected = Vec::new();
        for (from, to) in ranges {
            let head = format!(
                "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {from}-{}/{SIZE}\r\n\r\n",
                to - 1
            );
            expected.extend_from_slice(head.as_bytes());
            expected.extend_from_slice(film.at(from, to));
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert!(answer.body == expected, "{asked}");
        assert_eq!(answer.number("content-length"), Some(expected.len() as u64));
    }
    // Ranges that touch or overlap are one, and then it is no multipart.
    let one = film.range("bytes=0-9,5-19,20-29").expect(206);
    assert_eq!(one.header("content-range"), Some(&*format!("bytes 0-29/{SIZE}")));
    assert!(one.body == film.at(0, 30));
}

#[test]
fn ranges_that_make_no_sense_have_their_codes() {
    let film = Film::new();
    let too_many = (0..17).map(|n| format!("{}-{}", n * 10, n * 10)).collect::<Vec<_>>().join(",");
    for (asked, code) in [
        (format!("bytes={SIZE}-"), "range_not_satisfiable"),
        ("bytes=-0".to_owned(), "range_not_satisfiable"),
        ("bytes=99999999999999999999999-".to_owned(), "range_not_satisfiable"),
        ("bytes=5-2".to_owned(), "range_invalid"),
        ("bytes=".to_owned(), "range_invalid"),
        ("bytes=a-b".to_owned(), "range_invalid"),
        ("bytes=0--1".to_owned(), "range_invalid"),
        (format!("bytes={too_many}"), "range_excessive"),
    ] {
        let answer = film.range(&asked).expect(416);
        assert_eq!(answer.problem(), code, "{asked}");
        assert_eq!(answer.header("content-range"), Some(&*format!("bytes */{SIZE}")), "{asked}");
    }
    let other_unit = film.range("pages=1-2").expect(200);
    assert!(other_unit.body == film.bytes, "a unit that is not known is ignored");
}

#[test]
fn conditions_decide_before_ranges() {
    let film = Film::new();
    let known = film.origin.send(&film.request("HEAD"));
    let (etag, date) = (known.header("etag").unwrap(), known.header("last-modified").unwrap());
    let (old, new) = ("Thu, 01 Jan 1970 00:00:01 GMT", "Fri, 01 Jan 2100 00:00:00 GMT");
    let weak = format!("W/{etag}");
    let list = format!("\"x\", {etag}");
    for (name, value, status) in [
        ("If-None-Match", etag, 304),
        ("If-None-Match", &*weak, 304),
        ("If-None-Match", &*list, 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", "\"x\"", 206),
        ("If-Modified-Since", date, 304),
        ("If-Modified-Since", new, 304),
        ("If-Modified-Since", old, 206),
        ("If-Match", etag, 206),
        ("If-Match", "*", 206),
        ("If-Match", &*weak, 412),
        ("If-Match", "\"x\"", 412),
        ("If-Unmodified-Since", date, 206),
        ("If-Unmodified-Since", old, 412),
        ("If-Range", etag, 206),
        ("If-Range", &*weak, 200),
        ("If-Range", "\"x\"", 200),
        ("If-Range", date, 206),
        ("If-Range", old, 200),
        ("If-Range", new, 200),
    ] {
        let answer = film.get(&[("Range", "bytes=5-9"), (name, value)]);
        assert_eq!(answer.status, status, "{name}: {value}");
        match status {
            206 => assert_eq!(answer.body, film.at(5, 10)),
            200 => assert!(answer.body == film.bytes),
            412 => assert_eq!(answer.problem(), "precondition_failed"),
            _ => {
                assert_eq!(answer.header("etag"), Some(etag));
                assert!(answer.header("cache-control").is_some());
            }
        }
    }
    // A range that cannot be satisfied does not count either when its condition is not met.
    assert_eq!(film.get(&[("Range", "bytes=9999999-"), ("If-Range", "\"x\"")]).status, 200);
}

#[test]
fn an_empty_asset_is_whole_and_has_no_ranges() {
    let site = Site::embedded();
    let origin = site.start();
    let path = origin.tus().upload(b"", "empty");
    let get = Request::get(&format!("/media/{}/source", id_of(&path))).bearer(&origin.token);
    assert_eq!(origin.send(&get).expect(200).number("content-length"), Some(0));
    for range in ["bytes=0-", "bytes=0-0", "bytes=-5"] {
        let answer = origin.send(&get.clone().header("Range", range)).expect(416);
        assert_eq!(answer.header("content-range"), Some("bytes */0"));
    }
}

/// Invariant 5: bytes that are missing in the store break the connection; nothing short looks whole.
#[test]
fn invariant_5_an_answer_that_cannot_be_finished_does_not_look_whole() {
    let film = Film::new();
    let last = film.site.segment(id_of(&film.path), 3);
    std::fs::OpenOptions::new().write(true).open(&last).unwrap().set_len(500_000).unwrap();
    // Where nothing could be sent yet, the connection ends without a word.
    let broken = |range: Option<&str>| {
        let request = range.iter().fold(film.request("GET"), |request, range| request.header("Range", range));
        match request.try_send(film.origin.addr) {
            Ok(answer) => {
                assert!(!answer.whole, "{range:?}: {:?}", answer.headers);
                answer.body
            }
            Err(_) => Vec::new(),
        }
    };
    assert!(film.bytes.starts_with(&broken(None)));
    broken(Some("bytes=0-9,900000-900009,1299990-"));
    let fine = film.range("bytes=0-600000").expect(206);
    assert!(fine.whole);
    std::fs::remove_file(last).unwrap();
    assert!(broken(Some("bytes=-5")).is_empty());
}

#[test]
fn methods_that_do_not_read_are_refused_and_browsers_may_ask_first() {
    let film = Film::new();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = film.origin.send(&film.request(method)).expect(405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"), "{method}");
    }
    let ask = film.request("OPTIONS").header("Access-Control-Request-Method", "GET");
    let answer = film.origin.send(&ask).expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("Range"));
    let _ = film.origin.send(&Request::get("/media/nothing/source")).expect(404);
    let _ = film.origin.send(&Request::get("/media/01890a5d-ac96-774b-bcce-b302099a8057/source")).expect(404);
}
