//! What a broken or hostile client may send to an origin, each with its status and code; and none of it touches an
//! upload that is under way or an asset that is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidegate_testkit::files::{digest_of, random_bytes};
use tidegate_testkit::http::{Connection, Request, Response};
use tidegate_testkit::scene::Service;
use tidegate_testkit::tus::{Tus, id_of};
use tidegate_testkit::{Backing, Scene};

const UNKNOWN: &str = "/files/01890a5d-ac96-774b-bcce-b302099a8057";
const OCTETS: &str = "application/offset+octet-stream";
const DONE: usize = 100_000;
const LENGTH: usize = 300_000;

/// An upload under way and an asset, which must both be as before after each test.
struct Bystanders {
    scene: Scene,
    origin: Service,
    tus: Tus,
    bytes: Vec<u8>,
    upload: String,
    asset: String,
}

impl Bystanders {
    fn new() -> Self {
        let scene = Scene::new(Backing::Embedded);
        let origin = scene.origin();
        let tus = scene.tus(origin.addr);
        let bytes = random_bytes(71, LENGTH);
        let asset = tus.upload(&bytes, "asset.bin");
        let upload = tus.create(LENGTH as u64, "upload.bin");
        let _ = tus.patch(&upload, 0, &bytes[..DONE]).send(origin.addr).expect(204);
        Self { scene, origin, tus, bytes, upload, asset }
    }

    fn post(&self, fields: &[(&str, &str)]) -> Request {
        self.tus.request("POST", "/files").headers(fields.iter().copied())
    }

    fn patch(&self, fields: &[(&str, &str)], body: &[u8]) -> Request {
        self.tus.request("PATCH", &self.upload).headers(fields.iter().copied()).body(body)
    }

    fn send(&self, request: &Request) -> Response {
        request.send(self.origin.addr)
    }

    /// Sends each request and compares status and code.
    fn check(&self, table: &[(&str, Request, u16, &str)]) {
        for (what, request, status, code) in table {
            let answer = self.send(request);
            assert_eq!((answer.status, &*answer.problem()), (*status, *code), "{what}: {answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
        }
        self.are_unharmed();
    }

    fn are_unharmed(&self) {
        assert_eq!(self.tus.offset(&self.upload), DONE as u64);
        let api = self.scene.api(self.origin.addr);
        assert!(api.source(id_of(&self.asset)).expect(200).body == self.bytes);
        let assets = api.request("GET", "/assets").send(api.addr).expect(200).json();
        assert_eq!(assets["assets"].as_array().map(Vec::len), Some(1), "{assets}");
    }

    fn finish(&self) {
        let _ =
            self.tus.patch(&self.upload, DONE as u64, &self.bytes[DONE..]).send(self.origin.addr).expect(204);
        let asset = self.scene.api(self.origin.addr).asset_eventually(id_of(&self.upload));
        assert_eq!(asset["digest"], digest_of(&self.bytes));
    }
}

#[test]
fn creations_that_make_no_sense() {
    let by = Bystanders::new();
    let anonymous = Tus::new(by.origin.addr, None);
    let plain = |fields: &[(&str, &str)]| {
        Request::new("POST", "/files").bearer(&by.scene.token()).headers(fields.iter().copied())
    };
    by.check(&[
        (
            "another version",
            plain(&[("Tus-Resumable", "0.2.2"), ("Upload-Length", "5")]),
            412,
            "unsupported_version",
        ),
        (
            "two versions",
            by.post(&[("Tus-Resumable", "1.0.0"), ("Upload-Length", "5")]),
            412,
            "unsupported_version",
        ),
        (
            "no token",
            anonymous.request("POST", "/files").header("Upload-Length", 5),
            401,
            "authentication_required",
        ),
        (
            "a made-up token",
            Tus::new(by.origin.addr, "tg_made-up".to_owned())
                .request("POST", "/files")
                .header("Upload-Length", 5),
            401,
            "invalid_token",
        ),
        ("no length", by.post(&[]), 400, "upload_length_required"),
        ("a negative length", by.post(&[("Upload-Length", "-1")]), 400, "upload_length_invalid"),
        ("a signed length", by.post(&[("Upload-Length", "+5")]), 400, "upload_length_invalid"),
        ("a length in words", by.post(&[("Upload-Length", "five")]), 400, "upload_length_invalid"),
        (
            "a length past 64 bits",
            by.post(&[("Upload-Length", "99999999999999999999")]),
            400,
            "upload_length_invalid",
        ),
        (
            "a length past every limit",
            by.post(&[("Upload-Length", "9223372036854775807")]),
            413,
            "upload_too_large",
        ),
        (
            "two lengths",
            by.post(&[("Upload-Length", "5"), ("Upload-Length", "6")]),
            400,
            "upload_length_invalid",
        ),
        (
            "one length twice",
            by.post(&[("Upload-Length", "5"), ("Upload-Length", "5")]),
            400,
            "upload_length_invalid",
        ),
        (
            "a length now and later",
            by.post(&[("Upload-Length", "5"), ("Upload-Defer-Length", "1")]),
            400,
            "upload_length_conflict",
        ),
        (
            "a length some other time",
            by.post(&[("Upload-Defer-Length", "2")]),
            400,
            "upload_defer_length_invalid",
        ),
        (
            "metadata that is not base64",
            by.post(&[("Upload-Length", "5"), ("Upload-Metadata", "filename not*base64")]),
            400,
            "upload_metadata_invalid",
        ),
        (
            "a key twice",
            by.post(&[("Upload-Length", "5"), ("Upload-Metadata", "a YQ==,a YQ==")]),
            400,
            "upload_metadata_invalid",
        ),
        (
            "an empty key",
            by.post(&[("Upload-Length", "5"), ("Upload-Metadata", ",")]),
            400,
            "upload_metadata_invalid",
        ),
        (
            "metadata without end",
            by.post(&[("Upload-Length", "5"), ("Upload-Metadata", &format!("a {}", "YWFh".repeat(4000)))]),
            400,
            "upload_metadata_invalid",
        ),
        (
            "neither part nor final",
            by.post(&[("Upload-Length", "5"), ("Upload-Concat", "half")]),
            400,
            "upload_concat_invalid",
        ),
        ("a final of nothing", by.post(&[("Upload-Concat", "final;")]), 400, "upload_concat_invalid"),
        (
            "a final of something unknown",
            by.post(&[("Upload-Concat", &format!("final;{UNKNOWN}"))]),
            400,
            "upload_part_unknown",
        ),
        (
            "a final of an upload that is no part",
            by.post(&[("Upload-Concat", &format!("final;{}", by.asset))]),
            400,
            "upload_part_unknown",
        ),
        (
            "a final of a path",
            by.post(&[("Upload-Concat", "final;/files/../../etc/passwd")]),
            400,
            "upload_part_unknown",
        ),
        (
            "a body of another type",
            by.post(&[("Upload-Length", "5"), ("Content-Type", "text/plain")]).body("hello"),
            415,
            "unsupported_media_type",
        ),
        (
            "a body past the length",
            by.post(&[("Upload-Length", "4"), ("Content-Type", OCTETS)]).body("hello"),
            413,
            "upload_body_too_long",
        ),
    ]);
    let refused = by.send(&plain(&[("Tus-Resumable", "0.2.2"), ("Upload-Length", "5")]));
    assert_eq!(refused.header("tus-version"), Some("1.0.0"));
    by.finish();
}

#[test]
fn appends_that_make_no_sense() {
    let by = Bystanders::new();
    let at = DONE.to_string();
    let (octets, rest) = (("Content-Type", OCTETS), &by.bytes[DONE..]);
    let too_long = vec![0; LENGTH];
    let other = Request::new("PATCH", &by.upload).bearer(&by.scene.token());
    by.check(&[
        (
            "no version",
            other.header("Upload-Offset", &at).header("Content-Type", OCTETS).body(rest),
            412,
            "unsupported_version",
        ),
        ("no type", by.patch(&[("Upload-Offset", &at)], rest), 415, "unsupported_media_type"),
        (
            "another type",
            by.patch(&[("Upload-Offset", &at), ("Content-Type", "video/mp4")], rest),
            415,
            "unsupported_media_type",
        ),
        ("no offset", by.patch(&[octets], rest), 400, "upload_offset_invalid"),
        (
            "a negative offset",
            by.patch(&[octets, ("Upload-Offset", "-1")], rest),
            400,
            "upload_offset_invalid",
        ),
        (
            "two offsets",
            by.patch(&[octets, ("Upload-Offset", &at), ("Upload-Offset", "0")], rest),
            400,
            "upload_offset_invalid",
        ),
        (
            "an offset before",
            by.patch(&[octets, ("Upload-Offset", "0")], rest),
            409,
            "upload_offset_mismatch",
        ),
        (
            "an offset past",
            by.patch(&[octets, ("Upload-Offset", "100001")], rest),
            409,
            "upload_offset_mismatch",
        ),
        (
            "a body past the length",
            by.patch(&[octets, ("Upload-Offset", &at)], &too_long),
            413,
            "upload_body_too_long",
        ),
        (
            "another length",
            by.patch(&[octets, ("Upload-Offset", &at), ("Upload-Length", "7")], rest),
            400,
            "upload_length_conflict",
        ),
        ("an unknown upload", by.tus.patch(UNKNOWN, 0, rest), 404, "upload_not_found"),
        ("bytes for an asset", by.tus.patch(&by.asset, 0, rest), 409, "upload_offset_mismatch"),
    ]);
    by.finish();
}

#[test]
fn a_chunked_body_past_the_length_is_cut_at_the_length() {
    let by = Bystanders::new();
    let head = by.tus.patch(&by.upload, DONE as u64, &[]).header("Transfer-Encoding", "chunked").to_bytes();
    let mut connection = Connection::open(by.origin.addr).unwrap();
    connection.send(&head).unwrap();
    let too_long = LENGTH - DONE + 1;
    let mut body = format!("{too_long:x}\r\n").into_bytes();
    body.extend_from_slice(&by.bytes[DONE..]);
    body.extend_from_slice(b"x\r\n0\r\n\r\n");
    let _ = connection.send(&body);
    let answer = connection.response("PATCH").unwrap();
    assert_eq!((answer.status, &*answer.problem()), (413, "upload_body_too_long"), "{answer:?}");
    // Whether what was within the length counts is the server's choice; what it says must then hold.
    let offset = usize::try_from(by.tus.offset(&by.upload)).unwrap();
    assert!((DONE..=LENGTH).contains(&offset));
    if offset < LENGTH {
        let rest = by.tus.patch(&by.upload, offset as u64, &by.bytes[offset..]);
        let _ = by.send(&rest).expect(204);
    }
    let api = by.scene.api(by.origin.addr);
    assert_eq!(api.asset_eventually(id_of(&by.upload))["digest"], digest_of(&by.bytes));
}

#[test]
fn uploads_that_are_not_there() {
    let by = Bystanders::new();
    let upper = by.upload.to_uppercase().replace("/FILES/", "/files/");
    let none = |method: &str, path: &str| by.tus.request(method, path);
    for path in [
        UNKNOWN,
        &upper,
        "/files/..",
        "/files/../../../../etc/passwd",
        "/files/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/files/..%5c..%5cwindows",
        "/files/.",
        "/files/%00",
        "/files/a/b/c",
        &format!("{}/", by.upload),
        &format!("{}%00", by.upload),
        &format!("{}/../{}", by.upload, id_of(&by.upload)),
        &format!("/files/{}", "a".repeat(5000)),
    ] {
        for method in ["HEAD", "PATCH", "DELETE"] {
            let request = none(method, path).header("Upload-Offset", DONE).header("Content-Type", OCTETS);
            let answer = by.send(&request);
            assert!(matches!(answer.status, 400 | 404 | 405 | 414), "{method} {path}: {answer:?}");
            assert_eq!(answer.header("upload-offset"), None, "{method} {path}");
        }
    }
    by.are_unharmed();
    by.finish();
}

#[test]
fn names_with_tricks_stay_names() {
    let by = Bystanders::new();
    let api = by.scene.api(by.origin.addr);
    for (given, kept) in [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system32\\drivers.sys", "drivers.sys"),
        ("/", "untitled"),
        ("..", "untitled"),
        ("tide\r\nSet-Cookie: a=b.mp4", "tideSet-Cookie: a=b.mp4"),
        ("photo\u{202e}gpj.exe", "photogpj.exe"),
        ("\u{0}nul", "nul"),
        ("\"quoted\"; filename=\"x", "\"quoted\"; filename=\"x"),
        ("näme with späces.mp4", "näme with späces.mp4"),
    ] {
        let path = by.tus.upload(b"some bytes", given);
        let id = id_of(&path);
        assert_eq!(api.asset_eventually(id)["name"], kept, "{given:?}");
        let answer = api.source(id).expect(200);
        assert_eq!(answer.body, b"some bytes");
        assert_eq!(answer.header("set-cookie"), None);
        api.delete(id);
    }
    by.are_unharmed();
}

#[test]
fn what_a_browser_could_run_is_a_download() {
    let by = Bystanders::new();
    let api = by.scene.api(by.origin.addr);
    for (name, kind, body) in [
        ("page.html", "text/html", "<script>alert(1)</script>"),
        ("picture.svg", "image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("film.mp4", "video/mp4", "<html><script>alert(1)</script></html>"),
        ("script.js", "text/javascript", "alert(1)"),
    ] {
        let metadata = format!("filename {},filetype {}", STANDARD.encode(name), STANDARD.encode(kind));
        let length = body.len().to_string();
        let create =
            by.post(&[("Upload-Length", &length), ("Upload-Metadata", &metadata), ("Content-Type", OCTETS)]);
        let path = tidegate_testkit::tus::path_of(&by.send(&create.body(body)).expect(201));
        api.asset_eventually(id_of(&path));
        let answer = api.source(id_of(&path)).expect(200);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
        let disposition = answer.header("content-disposition").unwrap_or_default();
        let shown = answer.header("content-type").unwrap_or_default();
        let runs = shown.contains("html") || shown.contains("svg") || shown.contains("script");
        assert!(disposition.starts_with("attachment") || !runs, "{name}: {disposition} {shown}");
        api.delete(id_of(&path));
    }
    by.are_unharmed();
}

#[test]
fn heads_that_are_too_long_are_refused() {
    let by = Bystanders::new();
    let long = "x".repeat(64 * 1024);
    let many =
        (0..2000).fold(by.tus.request("HEAD", &by.upload), |request, n| request.header(&format!("X-{n}"), n));
    for (what, request) in [
        ("a field", by.tus.request("HEAD", &by.upload).header("X-Long", &long)),
        ("many fields", many),
        ("an address", by.tus.request("HEAD", &format!("/files/{long}"))),
        ("a field without end", by.tus.request("HEAD", &by.upload).header("X-Long", "x".repeat(4 << 20))),
    ] {
        // A server that has seen enough may close before it has read everything: then there is no answer to read.
        if let Ok(answer) = request.try_send(by.origin.addr) {
            assert!(matches!(answer.status, 400 | 404 | 414 | 431), "{what}: {answer:?}");
        }
    }
    by.are_unharmed();
    by.finish();
}

#[test]
fn a_request_with_two_ideas_of_its_length_cannot_smuggle_another() {
    let by = Bystanders::new();
    let at = DONE.to_string();
    for (fields, code) in [
        (&[("Content-Length", "5"), ("Transfer-Encoding", "chunked")][..], "ambiguous_length"),
        (&[("Transfer-Encoding", "chunked"), ("Content-Length", "5")], "ambiguous_length"),
        // These are refused below us, without a body.
        (&[("Content-Length", "5"), ("Content-Length", "6")], ""),
        (&[("Transfer-Encoding", "gzip, chunked, identity")], ""),
        (&[("Content-Length", "5"), ("Transfer-Encoding", "identity")], ""),
    ] {
        // A front end and we could read this as one request or as two: the second must not be answered.
        let smuggled = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let request = by
            .patch(&[("Upload-Offset", &at), ("Content-Type", OCTETS)], &[])
            .headers(fields.iter().copied())
            .bare()
            .header("Host", "localhost");
        let mut connection = Connection::open(by.origin.addr).unwrap();
        connection.send(&[request.to_bytes(), smuggled.into()].concat()).unwrap();
        let answer = connection.response("PATCH").unwrap();
        assert_eq!((answer.status, &*answer.problem()), (400, code), "{fields:?}: {answer:?}");
        assert!(connection.response("GET").is_err(), "{fields:?}: the connection goes on");
    }
    by.are_unharmed();
    by.finish();
}

#[test]
fn what_is_not_http_is_refused_and_harms_nobody() {
    let by = Bystanders::new();
    let lines = [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PATCH /files HTTP/1.1\r\nHost localhost\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}",
    ];
    for line in lines {
        let mut connection = Connection::open(by.origin.addr).unwrap();
        connection.send(line.as_bytes()).unwrap();
        connection.stream().shutdown(std::net::Shutdown::Write).unwrap();
        if let Ok(answer) = connection.response("GET") {
            assert!((400..=505).contains(&answer.status), "{line:?}: {answer:?}");
        }
    }
    by.are_unharmed();
    by.finish();
}
