//! What the event log, deliveries and the mail queue promise, on each engine of the catalogue.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::{Database, add_account, asset_id};
use tidegate_origin::catalog::deliveries::{self, DeliveryState, Due, Outcome, Wanted};
use tidegate_origin::catalog::events::{self, NewEvent};
use tidegate_origin::catalog::mails::{self, Mail};
use tidegate_origin::catalog::webhooks::{self, Webhook};
use tidegate_origin::catalog::{AccountId, Catalog};

on_both_engines! {
    events_are_told_with_their_change_or_not_at_all,
    numbers_have_no_gaps_whoever_gives_them,
    one_subjects_events_keep_their_order_whatever_the_clocks_say,
    only_the_front_of_the_log_is_dropped,
    an_event_goes_to_the_webhooks_that_want_it_once,
    of_one_subject_one_delivery_goes_at_a_time_and_in_order,
    nobody_is_woken_for_what_waits_behind_another,
    an_attempt_that_is_not_the_newest_has_no_say,
    one_webhook_does_not_take_all_turns,
    what_has_ended_is_sent_again_when_asked_for,
    deliveries_are_listed_in_pages,
    what_nobody_sends_is_given_up_and_forgotten,
    an_account_has_as_many_webhooks_as_it_may,
    a_message_is_sent_by_one_and_forgotten,
}

const FOREVER: u64 = 1 << 50;

fn event(n: u32, subject: u8, account: Option<&AccountId>, created_at: u64) -> NewEvent {
    NewEvent {
        id: format!("evt_{n}"),
        kind: "asset.changed".to_owned(),
        account: account.cloned(),
        subject: asset_id(subject),
        body: format!(r#"{{"type":"asset.changed","n":{n}}}"#),
        created_at,
    }
}

async fn tell(catalog: &Catalog, event: &NewEvent) {
    let mut tx = catalog.begin().await.unwrap();
    events::append(&mut tx, event).await.unwrap();
    tx.commit().await.unwrap();
}

async fn number(catalog: &Catalog, limit: u32) -> (u64, u64) {
    let mut tx = catalog.begin().await.unwrap();
    let given = events::number(&mut tx, limit).await.unwrap();
    deliveries::fan_out(&mut tx, given.0, 100, FOREVER).await.unwrap();
    tx.commit().await.unwrap();
    given
}

async fn log(catalog: &Catalog) -> Vec<(u64, String)> {
    let page = events::page(catalog, None, 0, None, 10_000).await.unwrap();
    page.into_iter().map(|event| (event.seq, event.id)).collect()
}

async fn events_are_told_with_their_change_or_not_at_all(database: Database) {
    let catalog = database.connect().await;
    assert!(!events::any_waiting(&catalog).await.unwrap());
    let mut tx = catalog.begin().await.unwrap();
    events::append(&mut tx, &event(1, 1, None, 5)).await.unwrap();
    drop(tx);
    assert!(!events::any_waiting(&catalog).await.unwrap());
    let ada = add_account(&catalog, "ada").await;
    tell(&catalog, &event(2, 1, Some(&ada), 5)).await;
    tell(&catalog, &event(3, 2, None, 6)).await;
    assert!(events::any_waiting(&catalog).await.unwrap());
    assert_eq!(events::bounds(&catalog).await.unwrap(), (0, 1));
    assert_eq!(number(&catalog, 10).await, (0, 2));
    assert_eq!(number(&catalog, 10).await, (2, 0));
    assert_eq!(events::bounds(&catalog).await.unwrap(), (2, 1));
    let of_ada = events::page(&catalog, Some(&ada), 0, None, 10).await.unwrap();
    assert_eq!(of_ada.len(), 1);
    assert_eq!((of_ada[0].seq, &*of_ada[0].id, of_ada[0].subject), (1, "evt_2", asset_id(1)));
    assert_eq!(of_ada[0].body, r#"{"type":"asset.changed","n":2}"#);
    assert!(events::page(&catalog, None, 1, Some(1), 10).await.unwrap().is_empty());
}

async fn numbers_have_no_gaps_whoever_gives_them(database: Database) {
    let catalog = database.connect().await;
    let others: Vec<Catalog> = vec![database.connect().await, database.connect().await];
    let writers = (0..4u32).map(|writer| {
        let catalog = catalog.clone();
        tokio::spawn(async move {
            for n in 0..25 {
                tell(&catalog, &event(writer * 100 + n, u8::try_from(writer).unwrap(), None, u64::from(n)))
                    .await;
            }
        })
    });
    let numberers = others.into_iter().map(|catalog| {
        tokio::spawn(async move {
            let mut given = 0;
            for _ in 0..60 {
                given += number(&catalog, 7).await.1;
            }
            given
        })
    });
    let (writers, numberers): (Vec<_>, Vec<_>) = (writers.collect(), numberers.collect());
    for writer in writers {
        writer.await.unwrap();
    }
    let mut given = 0;
    for numberer in numberers {
        given += numberer.await.unwrap();
    }
    loop {
        let (_, more) = number(&catalog, 7).await;
        given += more;
        if more == 0 {
            break;
        }
    }
    assert_eq!(given, 100);
    let log = log(&catalog).await;
    assert_eq!(log.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=100).collect::<Vec<u64>>());
    // And each writer's own, about one subject, in their order.
    for writer in 0..4 {
        let own: Vec<u32> = log
            .iter()
            .map(|(_, id)| id.strip_prefix("evt_").unwrap().parse::<u32>().unwrap())
            .filter(|n| n / 100 == writer)
            .collect();
        assert!(own.is_sorted(), "{own:?}");
        assert_eq!(own.len(), 25);
    }
}

async fn one_subjects_events_keep_their_order_whatever_the_clocks_say(database: Database) {
    let catalog = database.connect().await;
    // The second change was made by an origin whose clock is behind, the third by one that is further behind.
    for (n, at) in [(1, 9000), (2, 5000), (3, 10)] {
        tell(&catalog, &event(n, 1, None, at)).await;
    }
    tell(&catalog, &event(4, 2, None, 7000)).await;
    // Also where the batch ends in the middle.
    number(&catalog, 2).await;
    number(&catalog, 2).await;
    let ids: Vec<String> = log(&catalog).await.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, ["evt_4", "evt_1", "evt_2", "evt_3"]);
}

async fn only_the_front_of_the_log_is_dropped(database: Database) {
    let catalog = database.connect().await;
    for (n, at) in [(1, 10), (2, 30), (3, 20)] {
        tell(&catalog, &event(n, u8::try_from(n).unwrap(), None, at)).await;
        number(&catalog, 10).await;
    }
    assert_eq!(events::trim(&catalog, 25).await.unwrap(), 1);
    assert_eq!(events::bounds(&catalog).await.unwrap(), (3, 2));
    assert_eq!(events::trim(&catalog, 31).await.unwrap(), 2);
    assert_eq!(events::bounds(&catalog).await.unwrap(), (3, 4));
}

fn webhook(id: &str, account: &AccountId, kinds: &[&str]) -> Webhook {
    Webhook {
        id: id.to_owned(),
        account: account.clone(),
        url: format!("https://example.org/{id}"),
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        description: String::new(),
        secret: "whsec_AAAA".to_owned(),
        enabled: true,
        disabled_why: None,
        created_at: 1,
        updated_at: 1,
    }
}

async fn add_webhook(catalog: &Catalog, webhook: &Webhook) {
    let mut tx = catalog.begin().await.unwrap();
    assert!(webhooks::insert(&mut tx, webhook, 10).await.unwrap());
    tx.commit().await.unwrap();
}

async fn due(catalog: &Catalog, now_ms: u64) -> Vec<Due> {
    deliveries::due(catalog, now_ms, 4, 100).await.unwrap()
}

async fn end(catalog: &Catalog, due: &Due, attempt: u32, state: DeliveryState, again_at: u64) -> bool {
    let outcome = Outcome { state, next_attempt_at: again_at, response_status: Some(500), error: Some("no") };
    let mut tx = catalog.begin().await.unwrap();
    let ended = deliveries::end(&mut tx, due, attempt, &outcome, again_at).await.unwrap();
    tx.commit().await.unwrap();
    ended
}

async fn an_event_goes_to_the_webhooks_that_want_it_once(database: Database) {
    let catalog = database.connect().await;
    let (ada, bob) = (add_account(&catalog, "ada").await, add_account(&catalog, "bob").await);
    add_webhook(&catalog, &webhook("all", &ada, &[])).await;
    add_webhook(&catalog, &webhook("changed", &ada, &["asset.changed", "asset.ready"])).await;
    add_webhook(&catalog, &webhook("ready", &ada, &["asset.ready"])).await;
    add_webhook(&catalog, &webhook("bobs", &bob, &[])).await;
    let off = webhook("off", &ada, &[]);
    add_webhook(&catalog, &Webhook { enabled: false, ..off }).await;
    tell(&catalog, &event(1, 1, Some(&ada), 5)).await;
    tell(&catalog, &event(2, 2, None, 6)).await;
    number(&catalog, 10).await;
    let mut found: Vec<String> = due(&catalog, 100).await.into_iter().map(|due| due.webhook).collect();
    found.sort();
    assert_eq!(found, ["all", "changed"]);
    let one = &due(&catalog, 100).await[0];
    assert_eq!((&*one.event_id, one.seq, one.attempts), ("evt_1", Some(1), 0));
    assert!(due(&catalog, 99).await.is_empty(), "not before its time");
    assert_eq!(deliveries::next_at(&catalog).await.unwrap(), Some(100));
}

async fn of_one_subject_one_delivery_goes_at_a_time_and_in_order(database: Database) {
    let catalog = database.connect().await;
    let ada = add_account(&catalog, "ada").await;
    add_webhook(&catalog, &webhook("hook", &ada, &[])).await;
    for n in 1..=3 {
        tell(&catalog, &event(n, 1, Some(&ada), 5)).await;
    }
    tell(&catalog, &event(4, 2, Some(&ada), 5)).await;
    number(&catalog, 10).await;
    let ids = |found: &[Due]| found.iter().map(|due| due.event_id.clone()).collect::<Vec<_>>();
    let found = due(&catalog, 100).await;
    let mut sorted = ids(&found);
    sorted.sort();
    assert_eq!(sorted, ["evt_1", "evt_4"]);
    let first = found.iter().find(|due| due.event_id == "evt_1").unwrap();
    assert!(deliveries::claim(&catalog, first, 100, 200).await.unwrap());
    assert!(!deliveries::claim(&catalog, first, 100, 200).await.unwrap(), "no second one has it");
    assert_eq!(ids(&due(&catalog, 150).await), ["evt_4"]);
    assert!(end(&catalog, first, 1, DeliveryState::Pending, 300).await);
    assert_eq!(ids(&due(&catalog, 299).await), ["evt_4"], "those behind it wait with it");
    let again = due(&catalog, 300).await;
    let first = again.iter().find(|due| due.event_id == "evt_1").unwrap();
    assert_eq!(first.attempts, 1);
    assert!(deliveries::claim(&catalog, first, 300, 400).await.unwrap());
    assert!(end(&catalog, first, 2, DeliveryState::Delivered, 310).await);
    let second = due(&catalog, 310).await;
    let second = second.iter().find(|due| due.event_id == "evt_2").unwrap();
    assert!(deliveries::claim(&catalog, second, 310, 400).await.unwrap());
    assert!(end(&catalog, second, 1, DeliveryState::Failed, 320).await);
    let mut left = ids(&due(&catalog, 320).await);
    left.sort();
    assert_eq!(left, ["evt_3", "evt_4"], "what was given up holds nobody up");
}

async fn nobody_is_woken_for_what_waits_behind_another(database: Database) {
    let catalog = database.connect().await;
    let ada = add_account(&catalog, "ada").await;
    add_webhook(&catalog, &webhook("hook", &ada, &[])).await;
    tell(&catalog, &event(1, 1, Some(&ada), 5)).await;
    number(&catalog, 10).await;
    let first = due(&catalog, 100).await.remove(0);
    assert!(deliveries::claim(&catalog, &first, 100, 200).await.unwrap());
    assert!(end(&catalog, &first, 1, DeliveryState::Pending, 9000).await);
    tell(&catalog, &event(2, 1, Some(&ada), 5)).await;
    number(&catalog, 10).await;
    assert_eq!(deliveries::next_at(&catalog).await.unwrap(), Some(9000));
}

async fn an_attempt_that_is_not_the_newest_has_no_say(database: Database) {
    let catalog = database.connect().await;
    let ada = add_account(&catalog, "ada").await;
    add_webhook(&catalog, &webhook("hook", &ada, &[])).await;
    tell(&catalog, &event(1, 1, Some(&ada), 5)).await;
    number(&catalog, 10).await;
    let first = due(&catalog, 100).await.remove(0);
    assert!(deliveries::claim(&catalog, &first, 100, 200).await.unwrap());
    assert!(due(&catalog, 199).await.is_empty());
    // Nothing was heard of it: another takes it over.
    let second = due(&catalog, 201).await.remove(0);
    assert_eq!((second.attempts, &second.event_id), (1, &first.event_id));
    assert!(deliveries::claim(&catalog, &second, 201, 300).await.unwrap());
    assert!(!end(&catalog, &first, 1, DeliveryState::Failed, 210).await);
    assert!(end(&catalog, &second, 2, DeliveryState::Delivered, 220).await);
    assert!(!end(&catalog, &second, 2, DeliveryState::Pending, 230).await);
    assert!(due(&catalog, FOREVER).await.is_empty());
}

async fn one_webhook_does_not_take_all_turns(database: Database) {
    let catalog = database.connect().await;
    let (ada, bob) = (add_account(&catalog, "ada").await, add_account(&catalog, "bob").await);
    add_webhook(&catalog, &webhook("adas", &ada, &[])).await;
    add_webhook(&catalog, &webhook("bobs", &bob, &[])).await;
    for n in 0..20 {
        tell(&catalog, &event(n, u8::try_from(n).unwrap(), Some(&ada), 5)).await;
    }
    tell(&catalog, &event(99, 99, Some(&bob), 6)).await;
    number(&catalog, 100).await;
    let found = deliveries::due(&catalog, 100, 4, 10).await.unwrap();
    assert_eq!(found.iter().filter(|due| due.webhook == "adas").count(), 4);
    assert_eq!(found.iter().filter(|due| due.webhook == "bobs").count(), 1);
}

async fn what_has_ended_is_sent_again_when_asked_for(database: Database) {
    let catalog = database.connect().await;
    let ada = add_account(&catalog, "ada").await;
    add_webhook(&catalog, &webhook("hook", &ada, &[])).await;
    tell(&catalog, &event(1, 1, Some(&ada), 5)).await;
    number(&catalog, 10).await;
    let first = due(&catalog, 100).await.remove(0);
    let replay = async |now_ms: u64| {
        let mut tx = catalog.begin().await.unwrap();
        let again = deliveries::replay(&mut tx, &first.id, now_ms, FOREVER).await.unwrap();
        tx.commit().await.unwrap();
        again
    };
    assert!(!replay(100).await, "it is pending anyway");
    assert!(deliveries::claim(&catalog, &first, 100, 200).await.unwrap());
    assert!(end(&catalog, &first, 1, DeliveryState::Failed, 110).await);
    assert!(replay(120).await);
    // What happens after is not kept waiting by what is sent again, and goes behind it.
    tell(&catalog, &event(2, 1, Some(&ada), 5)).await;
    number(&catalog, 10).await;
    let again = due(&catalog, 130).await;
    assert_eq!((again.len(), &*again[0].event_id, again[0].attempts), (1, "evt_1", 1));
    let shown = deliveries::get(&catalog, &first.id).await.unwrap().unwrap();
    assert_eq!((shown.state, shown.response_status, shown.error), (DeliveryState::Pending, None, None));
}

async fn deliveries_are_listed_in_pages(database: Database) {
    let catalog = database.connect().await;
    let (ada, bob) = (add_account(&catalog, "ada").await, add_account(&catalog, "bob").await);
    add_webhook(&catalog, &webhook("one", &ada, &[])).await;
    add_webhook(&catalog, &webhook("two", &ada, &[])).await;
    add_webhook(&catalog, &webhook("three", &bob, &[])).await;
    for n in 1..=12 {
        tell(&catalog, &event(n, 1, Some(if n % 4 == 0 { &bob } else { &ada }), 5)).await;
    }
    number(&catalog, 100).await;
    let all = deliveries::list(&catalog, &Wanted::default(), 100).await.unwrap();
    assert_eq!(all.len(), 9 * 2 + 3);
    assert!(all.is_sorted_by_key(|delivery| std::cmp::Reverse(delivery.id[..16].to_owned())));
    let mut paged = Vec::new();
    loop {
        let before = paged.last().map(|last: &deliveries::Delivery| last.id.clone());
        let wanted = Wanted { before: before.as_deref(), ..Wanted::default() };
        let page = deliveries::list(&catalog, &wanted, 4).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let count = async |wanted: Wanted<'_>| deliveries::list(&catalog, &wanted, 100).await.unwrap().len();
    assert_eq!(count(Wanted { account: Some(&bob), ..Wanted::default() }).await, 3);
    assert_eq!(count(Wanted { webhook: Some("two"), ..Wanted::default() }).await, 9);
    assert_eq!(count(Wanted { state: Some(DeliveryState::Failed), ..Wanted::default() }).await, 0);
    let wanted = Wanted { account: Some(&ada), webhook: Some("three"), ..Wanted::default() };
    assert_eq!(count(wanted).await, 0);
    assert_eq!(all[0].event_id, "evt_12");
    assert_eq!(all[0].subject, Some(asset_id(1)));
}

async fn what_nobody_sends_is_given_up_and_forgotten(database: Database) {
    let catalog = database.connect().await;
    let ada = add_account(&catalog, "ada").await;
    add_webhook(&catalog, &webhook("hook", &ada, &[])).await;
    tell(&catalog, &event(1, 1, Some(&ada), 5)).await;
    number(&catalog, 10).await;
    let mut tx = catalog.begin().await.unwrap();
    webhooks::disable(&mut tx, "hook", "https://example.org/before", "gone", 105).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(due(&catalog, 120).await.len(), 1, "what an address said that it has no more does not count");
    let mut tx = catalog.begin().await.unwrap();
    webhooks::disable(&mut tx, "hook", "https://example.org/hook", "gone", 110).await.unwrap();
    tx.commit().await.unwrap();
    assert!(due(&catalog, 120).await.is_empty());
    assert_eq!(deliveries::next_at(&catalog).await.unwrap(), None);
    assert_eq!(deliveries::give_up_overdue(&catalog, FOREVER).await.unwrap(), 0);
    assert_eq!(deliveries::give_up_overdue(&catalog, FOREVER + 1).await.unwrap(), 1);
    let all = deliveries::list(&catalog, &Wanted::default(), 10).await.unwrap();
    assert_eq!((all.len(), all[0].state), (1, DeliveryState::Failed));
    assert_eq!(deliveries::forget_ended(&catalog, FOREVER + 2).await.unwrap(), 1);
    let shown = webhooks::get(&catalog, &ada, "hook").await.unwrap().unwrap();
    assert_eq!((shown.enabled, shown.disabled_why.as_deref()), (false, Some("gone")));
}

async fn an_account_has_as_many_webhooks_as_it_may(database: Database) {
    let catalog = database.connect().await;
    let (ada, bob) = (add_account(&catalog, "ada").await, add_account(&catalog, "bob").await);
    let adding = (0..6).map(|n| {
        let (catalog, new) = (catalog.clone(), webhook(&format!("hook-{n}"), &ada, &["asset.ready"]));
        tokio::spawn(async move {
            let mut tx = catalog.begin().await.unwrap();
            let added = webhooks::insert(&mut tx, &new, 3).await.unwrap();
            tx.commit().await.unwrap();
            added
        })
    });
    let mut added = 0;
    for task in adding.collect::<Vec<_>>() {
        added += u32::from(task.await.unwrap());
    }
    assert_eq!((added, webhooks::list(&catalog, &ada).await.unwrap().len()), (3, 3));
    let mut kept = webhooks::list(&catalog, &ada).await.unwrap().remove(0);
    assert_eq!(kept.kinds, ["asset.ready"]);
    let mut tx = catalog.begin().await.unwrap();
    assert!(webhooks::get_locked(&mut tx, &bob, &kept.id).await.unwrap().is_none());
    assert!(!webhooks::delete(&mut tx, &bob, &kept.id).await.unwrap());
    kept.kinds.clear();
    kept.description = "mine".to_owned();
    webhooks::update(&mut tx, &kept).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(webhooks::get(&catalog, &ada, &kept.id).await.unwrap().unwrap(), kept);
    let mut tx = catalog.begin().await.unwrap();
    assert!(webhooks::delete(&mut tx, &ada, &kept.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(webhooks::list(&catalog, &ada).await.unwrap().len(), 2);
}

async fn a_message_is_sent_by_one_and_forgotten(database: Database) {
    let catalog = database.connect().await;
    let ada = add_account(&catalog, "ada").await;
    let mail = Mail {
        id: "one".to_owned(),
        kind: "ready".to_owned(),
        recipient: "ada@example.org".to_owned(),
        subject: "s".to_owned(),
        plain: "p".to_owned(),
        html: "h".to_owned(),
        attempts: 0,
        give_up_at: 1000,
    };
    let insert = async |mail: &Mail| {
        let mut tx = catalog.begin().await.unwrap();
        mails::insert(&mut tx, mail, 50).await.unwrap();
        tx.commit().await.unwrap();
    };
    insert(&mail).await;
    insert(&Mail { subject: "other".to_owned(), ..mail.clone() }).await;
    let due = mails::due(&catalog, 50, 10).await.unwrap();
    assert_eq!(due, std::slice::from_ref(&mail), "the same id again is the same message");
    assert!(mails::claim(&catalog, &mail, 50, 100).await.unwrap());
    assert!(!mails::claim(&catalog, &mail, 50, 100).await.unwrap());
    assert!(mails::due(&catalog, 99, 10).await.unwrap().is_empty());
    mails::failed(&catalog, &mail, 1, Some(200), "busy", 60).await.unwrap();
    assert_eq!(mails::next_at(&catalog).await.unwrap(), Some(200));
    let again = mails::due(&catalog, 200, 10).await.unwrap().remove(0);
    assert_eq!(again.attempts, 1);
    assert!(mails::claim(&catalog, &again, 200, 300).await.unwrap());
    mails::sent(&catalog, &again).await.unwrap();
    assert_eq!(mails::next_at(&catalog).await.unwrap(), None);
    insert(&Mail { id: "two".to_owned(), ..mail.clone() }).await;
    assert_eq!(mails::forget(&catalog, 0, 999).await.unwrap(), 0);
    assert_eq!(mails::forget(&catalog, 0, 1001).await.unwrap(), 1);

    assert_eq!(mails::topics(&catalog, &ada).await.unwrap(), ["ready", "failed"]);
    mails::set_topics(&catalog, &ada, &["failed"]).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(mails::address_in(&mut tx, &ada, "ready").await.unwrap(), None);
    let address = mails::address_in(&mut tx, &ada, "failed").await.unwrap();
    assert_eq!(address.as_deref(), Some("ada@example.org"));
    drop(tx);
    mails::set_topics(&catalog, &ada, &[]).await.unwrap();
    assert!(mails::topics(&catalog, &ada).await.unwrap().is_empty());
}
