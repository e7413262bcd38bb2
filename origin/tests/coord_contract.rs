//! What origins agree on while they run: one contract for the in-process twin and for Redis.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use tidegate_origin::coord::leases::{Attempt, Lease, LeaseError, acquire};
use tidegate_origin::coord::{self, Coordination, Topic};
use tidegate_serve::Entropy;
use tidegate_testkit::Redis;
use tidegate_wire::AssetId;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Two origins that agree by the same back end; the twin has only one, which both sides then are.
struct Subject {
    one: Coordination,
    two: Coordination,
    redis: Option<Redis>,
    _shutdown: tokio_util::sync::DropGuard,
}

impl Subject {
    fn local() -> Self {
        let one = Coordination::local();
        Self { two: one.clone(), one, redis: None, _shutdown: CancellationToken::new().drop_guard() }
    }

    fn redis() -> Self {
        let (redis, shutdown) = (Redis::start(), CancellationToken::new());
        let connect = || coord::redis::connect(&redis.url(), &Entropy::system(), &shutdown).unwrap();
        let (one, two) = (connect(), connect());
        Self { one, two, redis: Some(redis), _shutdown: shutdown.drop_guard() }
    }

    fn server(&self) -> &Redis {
        self.redis.as_ref().unwrap()
    }
}

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(&super::Subject::local()).await; })*
        }
        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(&super::Subject::redis()).await; })*
        }
    };
}

contract!(
    a_new_upload_is_clean_under_the_fence_it_was_offered_with,
    an_upload_nobody_offered_is_not_clean,
    a_holder_that_stops_in_order_hands_its_fence_on,
    a_holder_is_asked_to_stop_as_soon_as_another_wants_the_lease,
    a_holder_that_does_not_stop_is_pushed_aside_and_cannot_give_back_what_it_lost,
    an_abandoned_lease_is_free_at_once_and_not_clean,
    of_several_waiters_the_newest_wins_and_the_older_give_way,
    one_who_waited_does_not_take_the_lease_back_from_a_newer_one,
    a_retired_upload_is_forgotten,
    leases_of_different_uploads_have_nothing_to_do_with_each_other,
    hot_offsets_come_in_the_order_they_were_asked,
    a_wake_up_reaches_those_who_wait_here,
);

fn id(n: u8) -> AssetId {
    AssetId::generate(1_700_000_000_000, [n; 10])
}

async fn take(coord: &Coordination, id: AssetId) -> Lease {
    acquire(&coord.leases, &Entropy::system(), id).await.unwrap()
}

/// Waits for what must happen, without a guess at how fast.
async fn happens<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), what).await.expect("it happens")
}

async fn a_new_upload_is_clean_under_the_fence_it_was_offered_with(by: &Subject) {
    by.one.leases.offer(id(1), 1).await.unwrap();
    assert_eq!(take(&by.two, id(1)).await.clean_at, Some(1));
}

async fn an_upload_nobody_offered_is_not_clean(by: &Subject) {
    assert_eq!(take(&by.one, id(1)).await.clean_at, None);
}

async fn a_holder_that_stops_in_order_hands_its_fence_on(by: &Subject) {
    for fence in [3, 3, 4] {
        take(&by.one, id(1)).await.release(fence).await;
        let next = take(&by.two, id(1)).await;
        assert_eq!(next.clean_at, Some(fence));
        assert!(!next.wanted.is_cancelled());
        next.release(fence).await;
    }
    // What one was told is told once: who takes it and dies does not leave it clean.
    drop(take(&by.one, id(1)).await);
    let next = happens(take(&by.two, id(1))).await;
    assert_eq!(next.clean_at, None);
}

/// Invariant 3: within a second the newer one goes on.
async fn a_holder_is_asked_to_stop_as_soon_as_another_wants_the_lease(by: &Subject) {
    let holder = take(&by.one, id(1)).await;
    let other = tokio::spawn({
        let two = by.two.clone();
        async move { take(&two, id(1)).await }
    });
    happens(holder.wanted.cancelled()).await;
    holder.release(5).await;
    let other = happens(other).await.unwrap();
    assert_eq!(other.clean_at, Some(5), "it was asked, and it stopped in order");
}

async fn a_holder_that_does_not_stop_is_pushed_aside_and_cannot_give_back_what_it_lost(by: &Subject) {
    by.one.leases.offer(id(1), 1).await.unwrap();
    let hung = take(&by.one, id(1)).await;
    let newer = happens(take(&by.two, id(1))).await;
    assert_eq!(newer.clean_at, None, "nobody said that it stopped");
    happens(hung.wanted.cancelled()).await;
    hung.release(1).await;
    assert!(!newer.wanted.is_cancelled());
    newer.release(2).await;
    assert_eq!(
        take(&by.one, id(1)).await.clean_at,
        Some(2),
        "the word of who was pushed aside counts nothing"
    );
}

async fn an_abandoned_lease_is_free_at_once_and_not_clean(by: &Subject) {
    by.one.leases.offer(id(1), 1).await.unwrap();
    drop(take(&by.one, id(1)).await);
    let next = happens(take(&by.two, id(1))).await;
    assert_eq!(next.clean_at, None);
}

async fn of_several_waiters_the_newest_wins_and_the_older_give_way(by: &Subject) {
    let holder = take(&by.one, id(1)).await;
    let leases = &by.two.leases;
    for waiter in [11, 12, 13] {
        leases.announce(id(1), waiter).await.unwrap();
    }
    for older in [11, 12] {
        for force in [false, true] {
            assert!(matches!(leases.attempt(id(1), older, force).await.unwrap(), Attempt::Superseded));
        }
    }
    assert!(matches!(leases.attempt(id(1), 13, false).await.unwrap(), Attempt::Held));
    holder.release(1).await;
    for older in [11, 12] {
        assert!(matches!(leases.attempt(id(1), older, true).await.unwrap(), Attempt::Superseded));
    }
    let taken = leases.attempt(id(1), 13, false).await.unwrap();
    assert!(matches!(taken, Attempt::Taken { clean_at: Some(1), .. }), "{taken:?}");
}

async fn one_who_waited_does_not_take_the_lease_back_from_a_newer_one(by: &Subject) {
    let holder = take(&by.one, id(1)).await;
    let leases = &by.one.leases;
    leases.announce(id(1), 11).await.unwrap();
    assert!(matches!(leases.attempt(id(1), 11, false).await.unwrap(), Attempt::Held));
    holder.release(1).await;
    // Between two looks of the older one a newer comes and gets it.
    let newer = take(&by.two, id(1)).await;
    for force in [false, true] {
        assert!(matches!(leases.attempt(id(1), 11, force).await.unwrap(), Attempt::Superseded));
    }
    assert!(!newer.wanted.is_cancelled());
    newer.release(1).await;
    // Also when it has finished: what the newer one was told must hold.
    assert!(matches!(leases.attempt(id(1), 11, true).await.unwrap(), Attempt::Superseded));
}

async fn a_retired_upload_is_forgotten(by: &Subject) {
    by.one.leases.offer(id(1), 1).await.unwrap();
    take(&by.one, id(1)).await.retire().await;
    let next = happens(take(&by.two, id(1))).await;
    assert_eq!(next.clean_at, None);
}

async fn leases_of_different_uploads_have_nothing_to_do_with_each_other(by: &Subject) {
    let one = take(&by.one, id(1)).await;
    let two = take(&by.one, id(2)).await;
    two.release(9).await;
    assert!(!one.wanted.is_cancelled());
    one.release(1).await;
    assert_eq!(take(&by.two, id(2)).await.clean_at, Some(9));
}

async fn hot_offsets_come_in_the_order_they_were_asked(by: &Subject) {
    by.one.hot.set(id(1), 10).await;
    by.one.hot.set(id(2), 20).await;
    by.one.hot.set(id(1), 11).await;
    assert_eq!(by.two.hot.get(&[id(2), id(3), id(1)]).await, [Some(20), None, Some(11)]);
    assert_eq!(by.two.hot.get(&[]).await, []);
}

async fn a_wake_up_reaches_those_who_wait_here(by: &Subject) {
    let mut waiter = by.one.wakeups.subscribe(Topic::Purges);
    by.one.wakeups.notify(Topic::Purges);
    happens(waiter.changed()).await.unwrap();
}

/// Several real requests for one lease, all at once: each ends one way or the other, one at a time has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_at_one_lease_gets_through_and_never_two_at_once() {
    for by in [Subject::local(), Subject::redis()] {
        let inside = Arc::new(tokio::sync::Semaphore::new(1));
        let crowd: Vec<_> = (0..20)
            .map(|n| {
                let coord = if n % 2 == 0 { by.one.clone() } else { by.two.clone() };
                let inside = inside.clone();
                tokio::spawn(async move {
                    match acquire(&coord.leases, &Entropy::system(), id(1)).await {
                        Ok(lease) => {
                            let only = inside.try_acquire().expect("nobody else is inside");
                            tokio::task::yield_now().await;
                            drop(only);
                            lease.release(1).await;
                            true
                        }
                        Err(LeaseError::Superseded) => false,
                        Err(error) => panic!("{error}"),
                    }
                })
            })
            .collect();
        let mut had_it = 0;
        for one in crowd {
            had_it += u32::from(happens(one).await.unwrap());
        }
        assert!(had_it >= 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_up_reaches_those_who_wait_at_another_origin() {
    let by = Subject::redis();
    let mut waiter = by.two.wakeups.subscribe(Topic::Purges);
    // It listens as soon as it has connected, of which it wakes everyone; until then a wake-up may be missed.
    happens(async {
        loop {
            by.one.wakeups.notify(Topic::Purges);
            if timeout(Duration::from_millis(100), waiter.changed()).await.is_ok() {
                break;
            }
        }
    })
    .await;
    by.server().kill();
    by.server().start_again();
    // After an interruption everyone looks again, since something may have been said meanwhile.
    happens(waiter.changed()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_2_a_flushed_redis_makes_the_next_holder_start_afresh() {
    let by = Subject::redis();
    by.one.leases.offer(id(1), 1).await.unwrap();
    let holder = take(&by.one, id(1)).await;
    by.server().flush();
    let next = happens(take(&by.two, id(1))).await;
    assert_eq!(next.clean_at, None);
    holder.release(1).await;
    next.release(2).await;
    assert_eq!(take(&by.one, id(1)).await.clean_at, Some(2));
    assert_eq!(by.one.hot.get(&[id(1)]).await, [None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_everything_fails_soon_and_all_is_well_when_it_is_back() {
    let by = Subject::redis();
    by.one.leases.offer(id(1), 1).await.unwrap();
    let holder = take(&by.one, id(1)).await;
    by.server().stop();
    let refused = happens(acquire(&by.two.leases, &Entropy::system(), id(1))).await;
    assert!(matches!(refused, Err(LeaseError::Unavailable(_))));
    happens(by.one.hot.set(id(1), 5)).await;
    assert_eq!(happens(by.one.hot.get(&[id(1), id(2)])).await, [None, None]);
    assert!(!holder.wanted.is_cancelled(), "who writes goes on: the fence protects what it writes");
    by.server().start_again();
    let next = happens(async {
        loop {
            match acquire(&by.two.leases, &Entropy::system(), id(1)).await {
                Ok(lease) => break lease,
                Err(LeaseError::Unavailable(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
    assert_eq!(next.clean_at, None);
    holder.release(1).await;
    next.release(2).await;
    let again = happens(take(&by.two, id(1))).await;
    assert_eq!(again.clean_at, Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_there_at_the_start_may_come_later() {
    let redis = Redis::start();
    redis.stop();
    let shutdown = CancellationToken::new();
    let coord = coord::redis::connect(&redis.url(), &Entropy::system(), &shutdown).unwrap();
    assert!(happens(coord.leases.offer(id(1), 1)).await.is_err());
    redis.start_again();
    happens(async {
        while coord.leases.offer(id(1), 1).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(happens(take(&coord, id(1))).await.clean_at, Some(1));
    shutdown.cancel();
}
