//! An account that floods the queue does not keep another waiting: each gets its share of the worker, as the queue
//! promises (`origin/src/catalog/queue.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::net::SocketAddr;

use serde_json::{Value, json};
use tidegate_testkit::http::Request;
use tidegate_testkit::scene::Api;
use tidegate_testkit::tus::{Tus, id_of};
use tidegate_testkit::video::made;
use tidegate_testkit::wait::eventually_true;
use tidegate_testkit::{Backing, Scene, limits};

/// Uploads of the account that floods.
const FLOOD: usize = 200;
/// Of its jobs so many are done before the other comes, so that it has had more than its share.
const HEAD_START: usize = 5;

/// One frame, of next to nothing.
fn drop_of_water() -> Vec<u8> {
    let words =
        "-f lavfi -i testsrc2=s=64x36:r=25:d=1 -frames:v 1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    std::fs::read(made("drop.mp4", words)).unwrap()
}

fn video() -> Vec<u8> {
    let words = "-f lavfi -i testsrc2=s=320x180:r=25:d=3 -f lavfi -i sine=440:d=3 \
                 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac";
    std::fs::read(made("guest.mp4", words)).unwrap()
}

/// Signs up; the new account's API, and its way to upload.
fn sign_up(origin: SocketAddr, name: &str) -> (Api, Tus) {
    let password = "correct horse battery staple";
    let account = json!({ "username": name, "email": format!("{name}@example.org"), "password": password });
    let _ = Request::new("POST", "/api/v1/accounts").json(&account).send(origin).expect(201);
    let credentials = json!({ "login": name, "password": password });
    let session = Request::new("POST", "/api/v1/sessions").json(&credentials).send(origin).expect(201);
    let cookie = session.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap();
    let wish = json!({ "name": "test" });
    let made = Request::new("POST", "/api/v1/tokens").header("Cookie", cookie).json(&wish).send(origin);
    let token = made.expect(201).json()["token"].as_str().unwrap().to_owned();
    (Api { addr: origin, token: token.clone() }, Tus::new(origin, token))
}

/// All jobs of an account, the newest first.
fn jobs(api: &Api) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/jobs?limit=200{cursor}");
        let page = api.request("GET", &path).send(api.addr).expect(200).json();
        all.extend(page["jobs"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn done(jobs: &[Value]) -> Vec<&Value> {
    let mut done: Vec<_> = jobs.iter().filter(|job| job["state"] == "done").collect();
    done.sort_by_key(|job| job["updated_at"].as_str().unwrap());
    done
}

#[test]
fn a_flood_of_one_account_does_not_keep_the_video_of_another_waiting() {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin();
    let (flood, flooding) = sign_up(origin.addr, "flood");
    let (guest, visiting) = sign_up(origin.addr, "guest");
    let drop = drop_of_water();
    let drops: Vec<String> =
        (0..FLOOD).map(|_| id_of(&flooding.upload(&drop, "drop.mp4")).to_owned()).collect();
    assert_eq!(jobs(&flood).len(), FLOOD);

    // One job at a time, so that the order in which they end is the order in which they were given out.
    let _worker = scene.worker(origin.addr, &["--slots", "1"]);
    eventually_true("the flood to begin", limits::RUN, || done(&jobs(&flood)).len() >= HEAD_START);
    let id = id_of(&visiting.upload(&video(), "guest.mp4")).to_owned();
    assert_ne!(guest.asset_in_state(&id, &["playable", "ready", "failed"])["state"], "failed");
    let waiting = jobs(&flood).iter().filter(|job| job["kind"] == "probe" && job["state"] == "ready").count();
    println!("playable, and {waiting} of the flood have not been looked at");
    assert!(waiting > FLOOD / 2, "{waiting}");

    assert_eq!(guest.asset_in_state(&id, &["ready", "failed"])["state"], "ready");
    let (guests, floods) = (jobs(&guest), jobs(&flood));
    takes_turns(&guests, &floods);
    keeps_its_order(&floods, &drops);
}

/// The jobs are all as small as the queue counts, so each account has every second turn while both want one.
fn takes_turns(guests: &[Value], floods: &[Value]) {
    let guests = done(guests);
    let from = guests.iter().map(|job| job["created_at"].as_str().unwrap()).min().unwrap();
    let until = guests.last().unwrap()["updated_at"].as_str().unwrap();
    let meanwhile = done(floods);
    let meanwhile =
        meanwhile.iter().filter(|job| (from..=until).contains(&job["updated_at"].as_str().unwrap())).count();
    println!("{} jobs of the guest, and {meanwhile} of the flood meanwhile", guests.len());
    // One was being done when the guest came, and one may begin before the guest's first.
    assert!(meanwhile <= guests.len() + 2, "{meanwhile} of the flood, {} of the guest", guests.len());
}

/// Within an account: the first look at each comes before what is made of any, and in the order they came.
fn keeps_its_order(floods: &[Value], drops: &[String]) {
    let order: Vec<_> = done(floods).iter().map(|job| job["asset"].as_str().unwrap().to_owned()).collect();
    assert!(done(floods).iter().all(|job| job["kind"] == "probe"));
    assert_eq!(order, drops[..order.len()]);
}
