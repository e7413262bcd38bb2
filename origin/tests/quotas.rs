//! How much an account may have: assets, and what its unfinished uploads have announced.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use serde_json::{Value, json};
use site::{Origin, Site};
use tidegate_testkit::http::{Connection, Request, Response};
use tidegate_testkit::tus::{Tus, path_of};

on_both_columns! {
    what_would_pass_the_quota_is_not_begun,
    a_length_that_is_declared_later_is_held_against_the_quota,
    bytes_of_unknown_length_end_at_the_quota,
    parts_count_until_a_file_is_made_of_them,
    uploads_that_begin_at_once_do_not_take_the_same_room,
}

/// An account that may have 100 bytes.
struct Ada<'a> {
    origin: &'a Origin,
    tus: Tus,
}

impl<'a> Ada<'a> {
    fn of(origin: &'a Origin) -> Self {
        let ada = Self { origin, tus: Tus::new(origin.addr, origin.account("ada")) };
        ada.may_have(100);
        ada
    }

    fn token(&self) -> &str {
        self.tus.token.as_deref().unwrap()
    }

    fn account(&self) -> Value {
        self.origin.send(&Request::get("/api/v1/account").bearer(self.token())).expect(200).json()
    }

    fn used(&self) -> u64 {
        self.account()["used_bytes"].as_u64().unwrap()
    }

    fn may_have(&self, quota_bytes: impl Into<Option<u64>>) {
        let path = format!("/api/v1/accounts/{}", self.account()["id"].as_str().unwrap());
        let change = Request::new("PATCH", &path).json(&json!({ "quota_bytes": quota_bytes.into() }));
        let _ = self.origin.send(&change.bearer(&self.origin.token)).expect(200);
    }

    fn begin(&self, length: u64) -> Response {
        self.origin.send(&self.tus.request("POST", "/files").header("Upload-Length", length))
    }

    fn begin_deferred(&self) -> String {
        let create = self.tus.request("POST", "/files").header("Upload-Defer-Length", 1);
        path_of(&self.origin.send(&create).expect(201))
    }

    fn part(&self, bytes: &[u8]) -> String {
        let create = self.tus.request("POST", "/files").header("Upload-Concat", "partial");
        let part = path_of(&self.origin.send(&create.header("Upload-Length", bytes.len())).expect(201));
        let _ = self.origin.send(&self.tus.patch(&part, 0, bytes)).expect(204);
        part
    }

    fn join(&self, parts: &[&str]) -> Response {
        let field = format!("final;{}", parts.join(" "));
        self.origin.send(&self.tus.request("POST", "/files").header("Upload-Concat", field))
    }
}

#[track_caller]
fn refused(answer: Response) {
    assert_eq!(answer.expect(413).problem(), "quota_exceeded");
}

fn what_would_pass_the_quota_is_not_begun(site: &Site) {
    let origin = site.start();
    let ada = Ada::of(&origin);
    refused(ada.begin(101));
    let path = path_of(&ada.begin(60).expect(201));
    assert_eq!(ada.used(), 60, "what was announced counts before it comes");
    refused(ada.begin(41));
    let _ = origin.send(&ada.tus.patch(&path, 0, &[7; 60])).expect(204);
    assert_eq!(ada.used(), 60, "and once when it has come");
    refused(ada.begin(41));
    let other = path_of(&ada.begin(40).expect(201));
    refused(ada.begin(1));
    refused(origin.send(&ada.tus.request("POST", "/files").header("Upload-Defer-Length", 1)));
    let _ = ada.begin(0).expect(201);
    refused(origin.send(&Request::new("PUT", "/files/a.txt").bearer(ada.token()).body("x")));
    // What was begun goes on, and what goes away makes room.
    let _ = origin.send(&ada.tus.patch(&other, 0, &[7; 10])).expect(204);
    let _ = origin.send(&ada.tus.request("DELETE", &other)).expect(204);
    assert_eq!(ada.used(), 60);
    ada.may_have(None);
    let _ = ada.begin(1 << 30).expect(201);
    // A quota below what is there takes nothing away.
    ada.may_have(10);
    refused(ada.begin(1));
    let _ = origin
        .send(
            &Request::get(&format!("/media/{}/source", path.rsplit('/').next().unwrap())).bearer(ada.token()),
        )
        .expect(200);
}

fn a_length_that_is_declared_later_is_held_against_the_quota(site: &Site) {
    let origin = site.start();
    let ada = Ada::of(&origin);
    let _ = ada.begin(50).expect(201);
    let path = ada.begin_deferred();
    let _ = origin.send(&ada.tus.patch(&path, 0, &[7; 20])).expect(204);
    assert_eq!(ada.used(), 70);
    refused(origin.send(&ada.tus.patch(&path, 20, &[7; 10]).header("Upload-Length", 51)));
    assert_eq!(ada.tus.offset(&path), 20, "nothing of it was taken");
    let _ = origin.send(&ada.tus.patch(&path, 20, &[7; 10]).header("Upload-Length", 50)).expect(204);
    assert_eq!(ada.used(), 100, "what was declared counts from then on");
    refused(ada.begin(1));
    let _ = origin.send(&ada.tus.patch(&path, 30, &[7; 20])).expect(204);
    assert_eq!(ada.used(), 100);
}

fn bytes_of_unknown_length_end_at_the_quota(site: &Site) {
    let origin = site.start();
    let ada = Ada::of(&origin);
    let path = ada.begin_deferred();
    let _ = origin.send(&ada.tus.patch(&path, 0, &[7; 60])).expect(204);
    refused(origin.send(&ada.tus.patch(&path, 60, &[7; 41])));
    // Chunked: nobody knows before it has come.
    let chunked = |bytes: &[u8]| {
        let head =
            ada.tus.request("PATCH", &path).header("Upload-Offset", 60).bare().header("Host", "localhost");
        let head = head.header("Content-Type", "application/offset+octet-stream");
        let mut connection = Connection::open(origin.addr).unwrap();
        connection.send(&head.header("Transfer-Encoding", "chunked").to_bytes()).unwrap();
        for piece in bytes.chunks(10) {
            connection.send(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).unwrap();
        }
        connection.send(b"0\r\n\r\n").unwrap();
        connection.response("PATCH").unwrap()
    };
    refused(chunked(&[7; 41]));
    assert_eq!((ada.tus.offset(&path), ada.used()), (60, 60), "it stands where it stood");
    let _ = chunked(&[7; 40]).expect(204);
    assert_eq!((ada.tus.offset(&path), ada.used()), (100, 100));
    // The last bytes there was room for make the file.
    let end = ada.tus.patch(&path, 100, &[]).header("Upload-Length", 100);
    let _ = origin.send(&end).expect(204);
    assert_eq!(ada.used(), 100);
}

fn parts_count_until_a_file_is_made_of_them(site: &Site) {
    let origin = site.start();
    let ada = Ada::of(&origin);
    let (first, second) = (ada.part(&[1; 40]), ada.part(&[2; 50]));
    assert_eq!(ada.used(), 90);
    refused(ada.begin(11));
    let _ = ada.join(&[&first, &second]).expect(201);
    assert_eq!(ada.used(), 90, "the file's bytes are the parts'");
    refused(ada.join(&[&first, &second]));
    assert_eq!(ada.used(), 90, "a refusal changes nothing");
    let _ = origin.send(&ada.tus.request("DELETE", &first)).expect(204);
    assert_eq!(ada.used(), 90);
    let _ = ada.begin(10).expect(201);
}

fn uploads_that_begin_at_once_do_not_take_the_same_room(site: &Site) {
    let origin = site.start();
    let ada = Ada::of(&origin);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8).map(|_| scope.spawn(|| ada.begin(30).status)).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 3, "{statuses:?}");
    assert_eq!(ada.used(), 90);
}
