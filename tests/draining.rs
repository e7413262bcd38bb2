//! SIGTERM: an origin stops taking requests, keeps what has arrived of an upload, and ends in order; the upload goes
//! on after the next start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use tidegate_testkit::files::{digest_of, random_bytes, random_file};
use tidegate_testkit::http::Connection;
use tidegate_testkit::proxy::{FaultProxy, Faults, Plan};
use tidegate_testkit::tus::id_of;
use tidegate_testkit::wait::eventually_true;
use tidegate_testkit::{Backing, Scene, Upload, limits};

const MIB: usize = 1 << 20;

#[test]
fn an_upload_in_flight_is_kept_and_goes_on_after_the_restart() {
    for backing in [Backing::Embedded, Backing::Cluster] {
        let scene = Scene::new(backing);
        let origin = scene.origin();
        let tus = scene.tus(origin.addr);
        let bytes = random_bytes(91, 8 * MIB);
        let path = tus.create(bytes.len() as u64, "tide.bin");
        let mut connection = Connection::open(origin.addr).unwrap();
        connection.send(&tus.patch_head(&path, 0, bytes.len() as u64)).unwrap();
        let arrived = 3 * MIB + 4321;
        connection.send(&bytes[..arrived]).unwrap();
        // By the metrics page: asking the upload itself would end the request that writes it.
        let received = || origin.metric("tidegate_origin_upload_received_bytes_total", &[]);
        eventually_true("the origin to have read some", limits::START, || received() >= MIB as f64);

        let (code, output) = origin.process.terminate();
        assert_eq!(code, Some(0), "{output}");
        // The client was told, or its connection ended; it was not left hanging.
        if let Ok(answer) = connection.response("PATCH") {
            assert!(answer.status == 503 || answer.status == 204, "{answer:?}");
        }

        origin.process.start_again();
        let offset = tus.offset(&path);
        println!("{backing:?}: {offset} of {arrived} bytes kept");
        assert!((MIB as u64..=arrived as u64).contains(&offset), "{offset}");
        let rest = &bytes[usize::try_from(offset).unwrap()..];
        let _ = tus.patch(&path, offset, rest).send(origin.addr).expect(204);
        assert_eq!(scene.api(origin.addr).asset_eventually(id_of(&path))["digest"], digest_of(&bytes));
    }
}

#[test]
fn an_upload_by_the_program_survives_restarts_in_order() {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin();
    let rate = 16 * MIB as u64;
    let proxy = FaultProxy::start(origin.addr, Plan { to_server: Faults::throttle(rate), ..Plan::default() });
    let file = scene.folder().join("file");
    let digest = random_file(&file, 92, 24 * MIB as u64);
    let upload =
        Upload::start(&file, &proxy.url(), &scene.token_file(), &scene.folder().join("journal"), &[]);
    for part in 1..=3 {
        let so_far = part * 6 * MIB as u64;
        eventually_true("a part of the file", limits::RUN, || proxy.counts().to_server > so_far);
        assert_eq!(origin.process.terminate().0, Some(0));
        origin.process.start_again();
    }
    assert_eq!(upload.finish().digest, digest);
}
