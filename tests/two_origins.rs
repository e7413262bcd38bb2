//! Two origins on one PostgreSQL, one Redis and one shared disk: a client that changes origin in the middle of an
//! upload takes it over, and the request it left hanging cannot do harm any more (invariant 3).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::time::Duration;

use tidegate_testkit::files::{digest_of, random_bytes};
use tidegate_testkit::http::Connection;
use tidegate_testkit::scene::Service;
use tidegate_testkit::tus::{Tus, id_of};
use tidegate_testkit::{Backing, Scene, eventually, limits};

const MIB: usize = 1 << 20;
const SIZE: usize = 16 * MIB;

struct Hanging {
    scene: Scene,
    first: Service,
    second: Service,
    path: String,
    bytes: Vec<u8>,
    /// The request that was left in the middle of its body.
    connection: Connection,
}

/// A PATCH of the whole file at the first origin that stops in the middle, its connection open.
fn hanging() -> Hanging {
    let scene = Scene::new(Backing::Cluster);
    let (first, second) = (scene.origin(), scene.origin());
    let tus = scene.tus(first.addr);
    let bytes = random_bytes(41, SIZE);
    let path = tus.create(SIZE as u64, "tide.bin");
    let mut connection = Connection::open(first.addr).unwrap();
    connection.send(&tus.patch_head(&path, 0, SIZE as u64)).unwrap();
    connection.send(&bytes[..5 * MIB]).unwrap();
    Hanging { scene, first, second, path, bytes, connection }
}

/// A PATCH of the bytes from where `tus` says the upload stands up to `end`, tried again as a client would.
fn go_on(tus: &Tus, path: &str, bytes: &[u8], end: usize) -> usize {
    eventually("the takeover", limits::START, || {
        let stands = tus.request("HEAD", path).send(tus.addr);
        // The hanging request may have come to its origin only now: then it is the newer one, and is asked once more.
        if stands.status == 423 {
            return None;
        }
        let offset = usize::try_from(stands.expect(200).number("upload-offset").unwrap()).unwrap();
        assert!(offset <= end, "the upload stands at {offset}");
        let answer = tus.patch(path, offset as u64, &bytes[offset..end]).send(tus.addr);
        match answer.status {
            204 => {
                assert_eq!(answer.number("upload-offset"), Some(end as u64));
                Some(offset)
            }
            // What the other origin still wrote between our two requests; or it had not let go yet.
            409 | 423 | 503 => None,
            _ => panic!("{answer:?}"),
        }
    })
}

#[test]
fn invariant_3_a_client_that_changes_origin_takes_its_hanging_upload_over() {
    let mut hanging = hanging();
    let tus = hanging.scene.tus(hanging.second.addr);
    let from = go_on(&tus, &hanging.path, &hanging.bytes, SIZE);
    println!("taken over at {from} of {SIZE}");
    // The hanging request was given up by its origin, not by its client: it says so, or its connection has ended.
    match hanging.connection.response("PATCH") {
        Ok(answer) => assert!(matches!(answer.status, 423 | 503 | 409), "{answer:?}"),
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the old request still hangs"),
    }
    check(&hanging);
}

#[test]
fn invariant_3_bytes_that_trickle_in_from_the_old_request_are_not_mixed_in() {
    let mut hanging = hanging();
    let tus = hanging.scene.tus(hanging.second.addr);
    let middle = 9 * MIB + 77;
    go_on(&tus, &hanging.path, &hanging.bytes, middle);
    // Other bytes than the file's, so that one of them among its own shows in the digest.
    let strangers = vec![0xee; 64 * 1024];
    hanging.connection.stream().set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    for _ in 0..16 {
        if hanging.connection.send(&strangers).is_err() {
            break;
        }
    }
    assert_eq!(tus.offset(&hanging.path), middle as u64);
    assert_eq!(hanging.scene.tus(hanging.first.addr).offset(&hanging.path), middle as u64);
    go_on(&tus, &hanging.path, &hanging.bytes, SIZE);
    check(&hanging);
}

#[test]
fn invariant_3_back_and_forth_between_origins_keeps_every_byte() {
    let hanging = hanging();
    let origins = [hanging.scene.tus(hanging.second.addr), hanging.scene.tus(hanging.first.addr)];
    let mut left_open = Vec::new();
    for (turn, end) in (6 * MIB..SIZE).step_by(MIB).enumerate() {
        let tus = &origins[turn % 2];
        go_on(tus, &hanging.path, &hanging.bytes, end);
        // And leave a request hanging there as well.
        let mut connection = Connection::open(tus.addr).unwrap();
        connection.send(&tus.patch_head(&hanging.path, end as u64, (SIZE - end) as u64)).unwrap();
        connection.send(&hanging.bytes[end..end + MIB / 2]).unwrap();
        left_open.push(connection);
    }
    go_on(&origins[0], &hanging.path, &hanging.bytes, SIZE);
    check(&hanging);
}

/// Both origins have the asset, and both read the same right bytes.
fn check(hanging: &Hanging) {
    let id = id_of(&hanging.path);
    for origin in [&hanging.first, &hanging.second] {
        let api = hanging.scene.api(origin.addr);
        assert_eq!(api.asset_eventually(id)["digest"], digest_of(&hanging.bytes));
        assert!(api.source(id).expect(200).body == hanging.bytes, "other bytes than were uploaded");
    }
}
