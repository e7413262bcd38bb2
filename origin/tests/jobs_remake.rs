//! Parts that do not fit together are made anew: once by themselves, and whenever someone asks for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::Database;
use support::api::Origin;
use support::worker::{claim, claimed, do_all, do_job, end, jobs, probed, shown, source_info, upload};
use tidegate_wire::job::{Claim, Ending, Failure, Work};

on_both_engines! {
    a_package_whose_parts_do_not_fit_is_no_dead_end,
}

async fn misfit(origin: &Origin, package: &Claim) {
    assert!(matches!(package.work, Work::Package(_)), "{package:?}");
    let failure = Failure {
        permanent: true,
        code: "parts_do_not_fit".to_owned(),
        message: "The pieces that were made do not fit together.".to_owned(),
        log: String::new(),
    };
    end(origin, package, Ending::Failed(failure)).await.expect(204);
}

async fn a_package_whose_parts_do_not_fit_is_no_dead_end(database: Database) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let origin = Origin::start_in(folder, Some(&database.options), |_| {}).await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(70_000);
    probed(&origin, &claimed(&origin).await, info.clone()).await;
    // Three chunks of the lowest rung and of the others, sound, a poster.
    for _ in 0..8 {
        do_job(&origin, &claimed(&origin).await, &info).await;
    }
    misfit(&origin, &claimed(&origin).await).await;
    assert_eq!(shown(&origin, &ada, id).await["state"], "playable", "and plays on");
    // Once by itself: all that makes tracks, and then the package again.
    for _ in 0..7 {
        let again = claimed(&origin).await;
        assert_eq!(again.attempt, 2, "{again:?}");
        do_job(&origin, &again, &info).await;
    }
    let package = claimed(&origin).await;
    let Work::Package(work) = &package.work else { panic!("{package:?}") };
    assert!(work.parts.iter().all(|part| part.dir.contains("-2/")), "{:?}", work.parts);
    misfit(&origin, &package).await;
    assert!(claim(&origin).await.is_none(), "but not for ever");
    let seen = shown(&origin, &ada, id).await;
    assert_eq!((&seen["state"], &seen["error"]["code"]), (&json!("failed"), &json!("parts_do_not_fit")));

    let failed = jobs(&origin, &ada).await.into_iter().find(|job| job["kind"] == "package").unwrap();
    let retry = format!("/api/v1/jobs/{}/retry", failed["id"].as_str().unwrap());
    origin.post(&ada, &retry, json!({})).await.expect(204);
    assert_eq!(do_all(&origin, &info).await, 8);
    let seen = shown(&origin, &ada, id).await;
    assert_eq!((&seen["state"], &seen["error"]), (&json!("ready"), &Value::Null));
    let media = origin.get(&ada, &format!("/media/{id}/1/v360.m3u8")).await.expect(200).text;
    assert_eq!((media.matches("-3/v360/").count(), media.matches("-1/v360/").count()), (19, 0), "{media}");
}
