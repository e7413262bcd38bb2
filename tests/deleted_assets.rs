//! A deleted asset is refused by a running edge at once, and never served again by an edge that was stopped while it
//! was deleted (invariant 8).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::time::Duration;

use tidegate_testkit::files::random_bytes;
use tidegate_testkit::http::{Request, Response};
use tidegate_testkit::scene::Service;
use tidegate_testkit::tus::id_of;
use tidegate_testkit::wait::eventually_true;
use tidegate_testkit::{Backing, Scene};

/// The bound for an edge that runs.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

struct Watched {
    scene: Scene,
    origin: Service,
    edges: [Service; 2],
    id: String,
    granted: String,
    bytes: Vec<u8>,
}

/// A private asset that both edges have in their caches.
fn watched(backing: Backing) -> Watched {
    let scene = Scene::new(backing);
    let origin = scene.origin();
    let edges = [scene.edge(origin.addr, &[]), scene.edge(origin.addr, &[])];
    let bytes = random_bytes(61, 3 << 20);
    let path = scene.tus(origin.addr).upload(&bytes, "tide.bin");
    let id = id_of(&path).to_owned();
    let api = scene.api(origin.addr);
    api.asset_eventually(&id);
    let granted = api.grant(&id, 10.0).path;
    let watched = Watched { scene, origin, edges, id, granted, bytes };
    for edge in &watched.edges {
        // The second answer comes from the cache.
        for _ in 0..2 {
            assert!(watched.view(edge).expect(200).body == watched.bytes);
        }
    }
    watched
}

impl Watched {
    fn view(&self, edge: &Service) -> Response {
        Request::get(&self.granted).send(edge.addr)
    }

    fn delete(&self) {
        self.scene.api(self.origin.addr).delete(&self.id);
    }

    fn refused_soon(&self, edge: &Service) {
        eventually_true("the edge to refuse the asset", REFUSED_WITHIN, || self.view(edge).status != 200);
        assert_eq!(self.view(edge).problem(), "asset_not_found");
    }
}

#[test]
fn invariant_8_an_edge_that_was_frozen_never_serves_what_was_deleted_meanwhile() {
    let watched = watched(Backing::Embedded);
    let [running, frozen] = &watched.edges;
    frozen.process.sigstop();
    watched.delete();
    watched.refused_soon(running);
    // A shorter stop is not told from a slow network, on which a purge comes a moment late.
    #[allow(clippy::disallowed_methods, reason = "a test's thread may sleep")]
    std::thread::sleep(tidegate_edge::limits::STOPPED_AFTER * 2);
    frozen.process.sigcont();
    // The very first answer, and many after it.
    for _ in 0..50 {
        assert_eq!(watched.view(frozen).expect(404).problem(), "asset_not_found");
    }
}

#[test]
fn invariant_8_an_edge_that_was_killed_never_serves_what_was_deleted_meanwhile() {
    let watched = watched(Backing::Embedded);
    let [running, killed] = &watched.edges;
    killed.process.kill9();
    watched.delete();
    watched.refused_soon(running);
    killed.process.start_again();
    for _ in 0..50 {
        assert_eq!(watched.view(killed).expect(404).problem(), "asset_not_found");
    }
}

#[test]
fn a_purge_by_another_origin_reaches_edges_at_once() {
    let watched = watched(Backing::Cluster);
    let other = watched.scene.origin();
    watched.scene.api(other.addr).delete(&watched.id);
    for edge in &watched.edges {
        watched.refused_soon(edge);
    }
}

#[test]
fn an_asset_made_private_needs_a_grant_from_then_on() {
    let watched = watched(Backing::Embedded);
    let api = watched.scene.api(watched.origin.addr);
    let open = format!("/media/{}/source", watched.id);
    let [edge, _] = &watched.edges;
    assert_eq!(Request::get(&open).send(edge.addr).expect(403).problem(), "grant_required");
    api.set_visibility(&watched.id, "public");
    eventually_true("the edge to serve it to everyone", REFUSED_WITHIN, || {
        Request::get(&open).send(edge.addr).status == 200
    });
    api.set_visibility(&watched.id, "private");
    eventually_true("the edge to ask for a grant", REFUSED_WITHIN, || {
        Request::get(&open).send(edge.addr).status == 403
    });
    assert!(watched.view(edge).expect(200).body == watched.bytes);
}
