//! What the queue of jobs promises, on each engine of the catalogue.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::HashSet;

use support::{Database, asset_id};
use tidegate_origin::catalog::jobs::{self, Ended, Job, JobState, NewJob};
use tidegate_origin::catalog::queue::{self, Asker, Leaving};
use tidegate_origin::catalog::revisions::{self, RevisionId, RevisionState};
use tidegate_origin::catalog::workers::{self, Around};
use tidegate_origin::catalog::{Catalog, published, texts, tracks, trees};
use tidegate_wire::job::{Kind, TextTrack, Work};
use tidegate_wire::track::{Format, Media, TrackPart};
use uuid::Uuid;

on_both_engines! {
    no_job_is_given_out_twice,
    an_account_that_floods_the_queue_waits_for_the_others_turn,
    accounts_share_by_work_and_not_by_jobs,
    within_an_account_class_goes_first_then_short_before_long_then_first_come,
    a_worker_gets_no_job_it_has_no_room_for,
    a_job_rests_until_its_time,
    a_job_is_ready_when_the_last_one_it_waits_for_is_done,
    an_attempt_that_does_not_have_the_job_changes_nothing,
    what_is_cancelled_can_be_taken_up_again,
    leases_that_ran_out_are_found,
    a_revision_reads_back_and_goes_with_all_it_has,
    jobs_are_listed_by_account_and_counted,
    workers_are_remembered_for_a_while,
    trees_wait_until_they_are_removed,
}

const PLENTY: u64 = 1 << 60;

fn id(n: u8) -> RevisionId {
    RevisionId { asset: asset_id(n), number: 1 }
}

fn uuid(n: u32) -> Uuid {
    Uuid::from_u128(u128::from(n) + 1)
}

fn job(n: u32, account: &str) -> NewJob {
    NewJob {
        id: uuid(n),
        revision: id(1),
        seq: n,
        account: account.to_owned(),
        work: Work::Probe,
        class: 0,
        length_ms: 0,
        cost_ms: 1000,
        needs_bytes: 0,
        missing: 0,
        unblocks: None,
        created_at: 10,
    }
}

async fn add(catalog: &Catalog, jobs: impl IntoIterator<Item = NewJob>) {
    let mut tx = catalog.begin().await.unwrap();
    for job in jobs {
        jobs::insert(&mut tx, &job).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn claim_with(catalog: &Catalog, asker: &Asker<'_>, now_ms: u64) -> Option<Job> {
    let mut tx = catalog.begin().await.unwrap();
    let job = queue::claim(&mut tx, asker, now_ms, now_ms + 30).await.unwrap();
    tx.commit().await.unwrap();
    job
}

async fn claim(catalog: &Catalog) -> Option<Job> {
    claim_with(catalog, &Asker { worker: "w", scratch_free_bytes: PLENTY, holds: &[] }, 100).await
}

async fn accounts_in_turn(catalog: &Catalog, many: usize) -> Vec<String> {
    let mut turns = Vec::new();
    for _ in 0..many {
        turns.push(claim(catalog).await.unwrap().account);
    }
    turns
}

fn leaving(state: JobState, ended: Ended) -> Leaving<'static> {
    Leaving { ended, state, failures: 0, run_after: 0, error: None }
}

async fn leave(catalog: &Catalog, job: &Job, how: &Leaving<'_>) -> bool {
    let mut tx = catalog.begin().await.unwrap();
    let left = queue::leave(&mut tx, job, how, 200).await.unwrap();
    tx.commit().await.unwrap();
    left
}

async fn state(catalog: &Catalog, n: u32) -> JobState {
    jobs::get(catalog, uuid(n)).await.unwrap().unwrap().state
}

async fn no_job_is_given_out_twice(database: Database) {
    let catalog = database.connect().await;
    add(&catalog, (0..24).map(|n| job(n, if n % 2 == 0 { "a" } else { "b" }))).await;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let catalog = catalog.clone();
        workers.spawn(async move {
            let mut got = Vec::new();
            while let Some(job) = claim(&catalog).await {
                assert_eq!((job.attempt, job.state), (1, JobState::Running));
                got.push(job.id);
            }
            got
        });
    }
    let got: Vec<Uuid> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(got.len(), 24);
    assert_eq!(got.iter().collect::<HashSet<_>>().len(), 24);
}

async fn an_account_that_floods_the_queue_waits_for_the_others_turn(database: Database) {
    let catalog = database.connect().await;
    add(&catalog, (0..200).map(|n| job(n, "flood"))).await;
    assert_eq!(accounts_in_turn(&catalog, 5).await, ["flood"; 5]);
    add(&catalog, [NewJob { created_at: 99, ..job(200, "late") }]).await;
    assert_eq!(accounts_in_turn(&catalog, 3).await, ["late", "flood", "flood"]);
    // And whoever was alone for long owes nobody anything.
    add(&catalog, (201..203).map(|n| job(n, "other"))).await;
    let turns = accounts_in_turn(&catalog, 4).await;
    assert_eq!(turns.iter().filter(|account| *account == "flood").count(), 2, "{turns:?}");
}

async fn accounts_share_by_work_and_not_by_jobs(database: Database) {
    let catalog = database.connect().await;
    add(&catalog, (0..8).map(|n| NewJob { cost_ms: 4000, ..job(n, "large") })).await;
    add(&catalog, (8..48).map(|n| job(n, "small"))).await;
    let turns = accounts_in_turn(&catalog, 20).await;
    let large = turns.iter().filter(|account| *account == "large").count();
    assert_eq!(large, 4, "four of 4 s against sixteen of 1 s: {turns:?}");
}

async fn within_an_account_class_goes_first_then_short_before_long_then_first_come(database: Database) {
    let catalog = database.connect().await;
    let with = |n, class, length_ms, created_at| NewJob { class, length_ms, created_at, ..job(n, "a") };
    add(
        &catalog,
        [
            with(0, 4, 1, 1),
            with(1, 1, 90_000, 1),
            with(2, 1, 10_000, 9),
            with(3, 3, 10_000, 1),
            with(4, 0, 0, 9),
            with(5, 1, 10_000, 8),
            with(6, 2, 10_000, 1),
            with(7, 1, 10_000, 8),
        ],
    )
    .await;
    let mut order = Vec::new();
    while let Some(job) = claim(&catalog).await {
        order.push(job.seq);
    }
    assert_eq!(order, [4, 5, 7, 2, 1, 6, 3, 0]);
}

async fn a_worker_gets_no_job_it_has_no_room_for(database: Database) {
    let catalog = database.connect().await;
    add(
        &catalog,
        [
            NewJob { needs_bytes: 500, ..job(0, "a") },
            NewJob { needs_bytes: 500, revision: id(2), ..job(1, "a") },
            NewJob { needs_bytes: 100, class: 4, ..job(2, "a") },
        ],
    )
    .await;
    let holds = [asset_id(9), asset_id(2)];
    let small = Asker { worker: "small", scratch_free_bytes: 100, holds: &holds };
    assert_eq!(queue::look(&catalog, &small).await.unwrap(), Some(10));
    assert_eq!(claim_with(&catalog, &small, 100).await.unwrap().seq, 1, "it holds the source");
    assert_eq!(claim_with(&catalog, &small, 100).await.unwrap().seq, 2);
    assert_eq!(claim_with(&catalog, &small, 100).await, None);
    assert_eq!(queue::look(&catalog, &small).await.unwrap(), None);
    assert_eq!(claim(&catalog).await.unwrap().seq, 0);
}

async fn a_job_rests_until_its_time(database: Database) {
    let catalog = database.connect().await;
    add(&catalog, [NewJob { created_at: 150, ..job(0, "a") }]).await;
    let asker = Asker { worker: "w", scratch_free_bytes: 0, holds: &[] };
    assert_eq!(queue::look(&catalog, &asker).await.unwrap(), Some(150));
    assert_eq!(claim_with(&catalog, &asker, 149).await, None);
    assert!(claim_with(&catalog, &asker, 150).await.is_some());
}

async fn a_job_is_ready_when_the_last_one_it_waits_for_is_done(database: Database) {
    let catalog = database.connect().await;
    let unblocks = Some(uuid(9));
    add(
        &catalog,
        [
            NewJob { unblocks, ..job(0, "a") },
            NewJob { unblocks, ..job(1, "a") },
            NewJob { missing: 2, ..job(9, "a") },
        ],
    )
    .await;
    for expected in [JobState::Waiting, JobState::Ready] {
        let done = claim(&catalog).await.unwrap();
        assert_ne!(done.seq, 9);
        let mut tx = catalog.begin().await.unwrap();
        assert!(queue::leave(&mut tx, &done, &leaving(JobState::Done, Ended::Done), 70).await.unwrap());
        queue::unblock(&mut tx, done.unblocks.unwrap(), 70).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(state(&catalog, 9).await, expected);
    }
    let last = claim(&catalog).await.unwrap();
    assert_eq!((last.seq, last.run_after), (9, 70));
    assert_eq!(jobs::get(&catalog, uuid(0)).await.unwrap().unwrap().progress_ppm, 1_000_000);
}

async fn an_attempt_that_does_not_have_the_job_changes_nothing(database: Database) {
    let catalog = database.connect().await;
    add(&catalog, [job(0, "a")]).await;
    let first = claim(&catalog).await.unwrap();
    assert!(queue::beat(&catalog, uuid(0), 1, Some(250_000), 110, 140).await.unwrap());
    assert!(leave(&catalog, &first, &leaving(JobState::Ready, Ended::Expired)).await);
    assert!(!queue::beat(&catalog, uuid(0), 1, None, 110, 140).await.unwrap(), "nobody has it");
    let second = claim(&catalog).await.unwrap();
    assert_eq!((second.attempt, second.progress_ppm, second.ending.clone()), (2, 0, None));
    assert!(!queue::beat(&catalog, uuid(0), 1, None, 110, 140).await.unwrap());
    assert!(!leave(&catalog, &first, &leaving(JobState::Done, Ended::Done)).await);
    assert!(queue::beat(&catalog, uuid(0), 2, None, 110, 140).await.unwrap());
    let error = Some(("code", "sentence", "log"));
    assert!(
        leave(&catalog, &second, &Leaving { error, failures: 1, ..leaving(JobState::Failed, Ended::Failed) })
            .await
    );
    let job = jobs::get(&catalog, uuid(0)).await.unwrap().unwrap();
    assert_eq!((job.state, job.failures, job.lease_until), (JobState::Failed, 1, None));
    assert_eq!((job.error.unwrap().1.as_str(), job.log.as_deref()), ("sentence", Some("log")));
}

async fn what_is_cancelled_can_be_taken_up_again(database: Database) {
    let catalog = database.connect().await;
    add(&catalog, [job(0, "a"), job(1, "a"), job(2, "a"), NewJob { missing: 3, ..job(3, "a") }]).await;
    add(&catalog, [NewJob { revision: id(2), missing: 1, ..job(4, "b") }]).await;
    let (done, failed) = (claim(&catalog).await.unwrap(), claim(&catalog).await.unwrap());
    assert!(leave(&catalog, &done, &leaving(JobState::Done, Ended::Done)).await);
    assert!(
        leave(&catalog, &failed, &Leaving { failures: 5, ..leaving(JobState::Failed, Ended::Failed) }).await
    );
    let running = claim(&catalog).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    queue::cancel(&mut tx, id(1), 300).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!queue::beat(&catalog, running.id, 1, None, 1, 1).await.unwrap());
    let mut seen = Vec::new();
    for n in 0..5 {
        seen.push(state(&catalog, n).await);
    }
    seen.sort_by_key(|state| state.as_str());
    use JobState::{Cancelled, Done, Failed, Ready, Waiting};
    assert_eq!(seen, [Cancelled, Cancelled, Done, Failed, Waiting], "what waits is another revision's");

    let mut tx = catalog.begin().await.unwrap();
    queue::take_up(&mut tx, id(1), 400).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((state(&catalog, done.seq).await, state(&catalog, 3).await), (Done, JobState::Waiting));
    let again = jobs::get(&catalog, failed.id).await.unwrap().unwrap();
    assert_eq!((again.state, again.failures, again.run_after), (Ready, 0, 400));
}

async fn leases_that_ran_out_are_found(database: Database) {
    let catalog = database.connect().await;
    add(&catalog, [job(0, "a"), job(1, "a")]).await;
    let (first, second) = (claim(&catalog).await.unwrap(), claim(&catalog).await.unwrap());
    assert_eq!(queue::overdue(&catalog, 130, 10).await.unwrap(), Vec::<Uuid>::new());
    assert!(queue::beat(&catalog, second.id, 1, None, 120, 120).await.unwrap());
    assert_eq!(queue::overdue(&catalog, 131, 10).await.unwrap(), [second.id, first.id]);
    assert_eq!(queue::overdue(&catalog, 131, 1).await.unwrap(), [second.id]);
}

fn part(track: &str, chunk: u32) -> TrackPart {
    TrackPart {
        track: track.to_owned(),
        chunk,
        dir: format!("2-1/{track}"),
        format: Format {
            codecs: "mp4a.40.2".to_owned(),
            timescale: 48_000.try_into().unwrap(),
            language: Some("de".to_owned()),
            label: Some("\u{1F3B5} '\"".to_owned()),
            media: Media::Audio { sample_rate: 48_000, channels: 2 },
        },
        init_size_bytes: 700,
        init_digest: "ab".repeat(32),
        segments: Vec::new(),
        whole: true,
    }
}

async fn a_revision_reads_back_and_goes_with_all_it_has(database: Database) {
    let catalog = database.connect().await;
    let text = TextTrack {
        track: "t0".to_owned(),
        path: "3-1/t0.vtt".to_owned(),
        language: "de".to_owned(),
        label: "Deutsch".to_owned(),
    };
    let mut tx = catalog.begin().await.unwrap();
    revisions::insert(&mut tx, id(1), "a", Some("00".repeat(16)), 1, 10).await.unwrap();
    revisions::insert(&mut tx, id(2), "", None, 1, 10).await.unwrap();
    let mut revision = revisions::get_locked(&mut tx, id(1)).await.unwrap().unwrap();
    assert_eq!((revision.state, revision.account.as_str()), (RevisionState::Processing, "a"));
    revision.state = RevisionState::Playable;
    revision.info = Some(support::worker::source_info(10_000));
    revision.plan = Some(Default::default());
    revision.error = Some(("code".to_owned(), "sentence".to_owned()));
    revision.playable_at = Some(20);
    revision.jobs = 7;
    revisions::update(&mut tx, &revision).await.unwrap();
    for part in [part("a1", 0), part("a0", 1), part("a0", 0)] {
        tracks::put(&mut tx, id(1), &part).await.unwrap();
    }
    let longer = TrackPart { whole: false, ..part("a0", 1) };
    tracks::put(&mut tx, id(1), &longer).await.unwrap();
    published::put(&mut tx, id(1), "poster.jpg", "4-1/poster.jpg").await.unwrap();
    published::put(&mut tx, id(1), "poster.jpg", "4-2/poster.jpg").await.unwrap();
    published::put(&mut tx, id(1), "v360.m3u8", "9-1/v360.m3u8").await.unwrap();
    texts::put(&mut tx, id(1), &text).await.unwrap();
    tx.commit().await.unwrap();
    add(&catalog, [job(0, "a")]).await;

    assert!(revisions::get(&catalog, id(1)).await.unwrap().unwrap() == revision);
    assert!(revisions::newest(&catalog, asset_id(1)).await.unwrap().unwrap() == revision);
    assert_eq!(
        revisions::of_assets(&catalog, &[asset_id(1), asset_id(2), asset_id(3)]).await.unwrap().len(),
        2
    );
    assert_eq!(tracks::list(&catalog, id(1)).await.unwrap(), [part("a0", 0), longer, part("a1", 0)]);
    let path = published::get(&catalog, id(1), "poster.jpg").await.unwrap();
    assert_eq!(path.as_deref(), Some("4-2/poster.jpg"));
    let fixed = published::fixed_of(&catalog, &[asset_id(1)]).await.unwrap();
    assert_eq!(fixed, [(id(1), "poster.jpg".to_owned())]);
    assert_eq!(texts::list(&catalog, id(1)).await.unwrap(), [text]);

    let mut tx = catalog.begin().await.unwrap();
    assert!(revisions::delete_all(&mut tx, asset_id(1)).await.unwrap());
    assert!(!revisions::delete_all(&mut tx, asset_id(1)).await.unwrap());
    tx.commit().await.unwrap();
    assert!(revisions::get(&catalog, id(1)).await.unwrap().is_none());
    assert!(tracks::list(&catalog, id(1)).await.unwrap().is_empty());
    assert!(texts::list(&catalog, id(1)).await.unwrap().is_empty());
    assert_eq!(jobs::get(&catalog, uuid(0)).await.unwrap(), None);
    assert!(revisions::get(&catalog, id(2)).await.unwrap().is_some());
}

async fn jobs_are_listed_by_account_and_counted(database: Database) {
    let catalog = database.connect().await;
    add(&catalog, (0..3).map(|n| job(n, "a"))).await;
    add(&catalog, [job(3, "b"), NewJob { missing: 1, ..job(4, "") }]).await;
    let list = async |account, before: Option<u32>, limit| {
        let filter = jobs::Filter { account, ..jobs::Filter::default() };
        let jobs = jobs::list(&catalog, &filter, before.map(uuid), limit).await.unwrap();
        jobs.iter().map(|job| job.seq).collect::<Vec<_>>()
    };
    assert_eq!(list(Some("a"), None, 2).await, [2, 1]);
    assert_eq!(list(Some("a"), Some(1), 2).await, [0]);
    assert_eq!(list(None, None, 9).await, [4, 3, 2, 1, 0]);
    for (filter, seqs) in [
        (jobs::Filter { state: Some(JobState::Waiting), ..Default::default() }, &[4][..]),
        (jobs::Filter { state: Some(JobState::Waiting), account: Some("a"), ..Default::default() }, &[]),
        (jobs::Filter { kind: Some(Kind::Probe), account: Some("b"), ..Default::default() }, &[3]),
        (jobs::Filter { kind: Some(Kind::Poster), ..Default::default() }, &[]),
        (jobs::Filter { asset: Some(asset_id(1)), ..Default::default() }, &[4, 3, 2, 1, 0]),
        (jobs::Filter { asset: Some(asset_id(9)), ..Default::default() }, &[]),
    ] {
        let found = jobs::list(&catalog, &filter, None, 9).await.unwrap();
        assert_eq!(found.iter().map(|job| job.seq).collect::<Vec<_>>(), seqs, "{filter:?}");
    }
    claim(&catalog).await.unwrap();
    let counts = jobs::counts(&catalog).await.unwrap();
    let many =
        |state| counts.iter().find(|(kind, of, _)| kind == "probe" && *of == state).map(|found| found.2);
    assert_eq!(many(JobState::Ready), Some(3));
    assert_eq!(
        (many(JobState::Running), many(JobState::Waiting), many(JobState::Done)),
        (Some(1), Some(1), None)
    );
    assert!(queue::forget_shares(&catalog).await.unwrap() <= 1);
}

async fn workers_are_remembered_for_a_while(database: Database) {
    let catalog = database.connect().await;
    let nobody = Around { workers: 0, room_bytes: 0, running: 0 };
    assert_eq!(workers::around(&catalog, 0).await.unwrap(), nobody);
    workers::seen(&catalog, "one", 5, 10).await.unwrap();
    workers::seen(&catalog, "two", 7, 10).await.unwrap();
    workers::seen(&catalog, "two", 3, 20).await.unwrap();
    assert_eq!(
        workers::around(&catalog, 10).await.unwrap(),
        Around { workers: 2, room_bytes: 5, running: 0 }
    );
    assert_eq!(
        workers::around(&catalog, 11).await.unwrap(),
        Around { workers: 1, room_bytes: 3, running: 0 }
    );
    assert_eq!(workers::forget(&catalog, 20).await.unwrap(), 1);
}

async fn trees_wait_until_they_are_removed(database: Database) {
    let catalog = database.connect().await;
    let mut tx = catalog.begin().await.unwrap();
    for (path, at) in [("b", 30), ("a", 20), ("b", 10)] {
        trees::insert(&mut tx, path, None, at).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(trees::list(&catalog, 30, 10).await.unwrap(), ["b", "a"]);
    assert_eq!(trees::list(&catalog, 20, 10).await.unwrap(), ["b"]);
    trees::done(&catalog, "b").await.unwrap();
    assert_eq!(trees::list(&catalog, 30, 10).await.unwrap(), ["a"]);
}
