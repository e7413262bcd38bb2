//! A deleted asset takes its jobs and everything that was made of it along.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::api::{As, Origin, SECOND};
use support::worker::{
    beat, claim, claimed, do_all, done, part, probed, put, source_info, store_part, upload,
};
use tidegate_origin::{housekeeping, limits};
use tidegate_wire::job::Report;

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn jobs_end_and_files_go_with_their_asset() {
    let origin = Origin::start_with(|config| config.trash = Duration::ZERO).await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let other = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    probed(&origin, &claimed(&origin).await, info.clone()).await;
    probed(&origin, &claimed(&origin).await, info.clone()).await;
    let job = claimed(&origin).await;
    let gone = job.asset;
    let stays = if gone == id { other } else { id };
    let whole = part(&job, "v360", 3, true);
    store_part(&origin, &job, &whole).await;
    origin.delete(&ada, &format!("/api/v1/assets/{gone}")).await.expect(204);

    beat(&origin, &job, 0.5, vec![]).await.expect_problem(409, "job_taken_over");
    put(&origin, &job, "v360/00009.m4s", "late").await.expect_problem(409, "job_taken_over");
    let report = Report::Encoded { parts: vec![whole] };
    done(&origin, &job, report).await.expect_problem(409, "job_taken_over");
    assert_eq!(files(&origin.folder.path().join("blobs/packages")), Vec::<PathBuf>::new());
    for who in [&ada, &As::Fleet] {
        let segment = format!("/media/{gone}/1/{}/v360/00000.m4s", job.dir);
        origin.get(who, &segment).await.expect_problem(404, "asset_not_found");
    }
    let left = support::worker::jobs(&origin, &ada).await;
    assert!(!left.is_empty() && left.iter().all(|job| job["asset"] == stays.to_string()), "{left:?}");
    assert_eq!(do_all(&origin, &info).await, 5);
    assert!(claim(&origin).await.is_none());
}

#[tokio::test]
async fn files_that_could_not_be_removed_are_not_forgotten() {
    let origin = Origin::start_with(|config| config.trash = Duration::ZERO).await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    do_all(&origin, &info).await;
    let packages = origin.folder.path().join("blobs/packages");
    assert!(files(&packages).len() > 20);
    // As if the origin had died between the change and the removal.
    let shard = packages.join(&id.to_string()[34..]);
    let folder = shard.join(id.to_string());
    let hidden = shard.join("hidden");
    std::fs::rename(&folder, &hidden).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    origin.delete(&ada, &format!("/api/v1/assets/{id}")).await.expect(204);
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&hidden, &folder).unwrap();
    assert!(files(&packages).len() > 20, "nothing was removed");

    origin.hand.advance(limits::REMOVAL_GRACE + SECOND);
    housekeeping::tidy_now(&origin.app).await.unwrap();
    assert_eq!(files(&packages), Vec::<PathBuf>::new());
    // Private files are nobody else's on this machine.
    let mode = std::fs::metadata(&packages).unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0);
}
