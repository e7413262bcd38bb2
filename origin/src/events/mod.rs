//! Events: what happens to uploads and assets, told to whoever wants to know.
//!
//! An event's way: [`tell`] writes it in the change that it tells of, [`sequencer`] numbers it right after, and makes
//! deliveries and mail of it in the same change; [`hub`] reads the log once for all streams of this origin, [`stream`]
//! writes one of them. [`passing`] is for what is not kept: progress, and who watches.

pub mod hub;
pub mod metrics;
pub mod passing;
pub mod sequencer;
pub mod stream;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tidegate_wire::AssetId;

use crate::accounts::secret;
use crate::app::App;
use crate::catalog::events::{self, NewEvent};
use crate::catalog::{AccountId, CatalogError, Tx};
use crate::http::timestamp::Timestamp;

/// The types of events that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An upload was begun.
    UploadCreated,
    /// All its bytes are there: it is an asset now.
    UploadFinished,
    /// It was ended, or given up, before that.
    UploadRemoved,
    /// The video plays, as far as it has been made.
    AssetPlayable,
    /// All of it has been made.
    AssetReady,
    /// It cannot be made.
    AssetFailed,
    /// Its name, visibility or whatever else its owner may set.
    AssetChanged,
    /// It is gone, or in the trash.
    AssetDeleted,
    /// It is back from the trash.
    AssetRestored,
}

impl Kind {
    /// Every type.
    pub const ALL: [Self; 9] = [
        Self::UploadCreated,
        Self::UploadFinished,
        Self::UploadRemoved,
        Self::AssetPlayable,
        Self::AssetReady,
        Self::AssetFailed,
        Self::AssetChanged,
        Self::AssetDeleted,
        Self::AssetRestored,
    ];

    /// As it stands in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UploadCreated => "upload.created",
            Self::UploadFinished => "upload.finished",
            Self::UploadRemoved => "upload.removed",
            Self::AssetPlayable => "asset.playable",
            Self::AssetReady => "asset.ready",
            Self::AssetFailed => "asset.failed",
            Self::AssetChanged => "asset.changed",
            Self::AssetDeleted => "asset.deleted",
            Self::AssetRestored => "asset.restored",
        }
    }

    /// The type of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    const fn is_of_upload(self) -> bool {
        matches!(self, Self::UploadCreated | Self::UploadFinished | Self::UploadRemoved)
    }

    const fn is_of_asset(self) -> bool {
        !matches!(self, Self::UploadCreated | Self::UploadRemoved)
    }
}

/// An event as it is told, but for its number. The members' names are the API's.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    at: Timestamp,
    account: Option<&'a AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<AssetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<AssetId>,
    data: &'a Value,
}

/// The text of an event, but for its number.
pub(crate) fn body(
    kind: &str,
    at_ms: u64,
    account: Option<&AccountId>,
    (asset, upload): (Option<AssetId>, Option<AssetId>),
    data: &Value,
) -> String {
    let body = Body { r#type: kind, at: Timestamp(at_ms), account, asset, upload, data };
    // Texts and numbers cannot fail to serialise.
    serde_json::to_string(&body).unwrap_or_default()
}

/// Puts the number before the other members of an event's text.
pub(crate) fn numbered(seq: Option<u64>, body: &str) -> String {
    match (seq, body.strip_prefix('{')) {
        (Some(seq), Some(rest)) => format!("{{\"id\":{seq},{rest}"),
        _ => body.to_owned(),
    }
}

/// An id of an event: in order of time, without a full stop, and never used twice.
pub(crate) fn new_event_id(app: &App) -> String {
    format!("evt_{}", secret::new_id(app.clock.unix_ms(), &app.entropy))
}

/// Tells of a change of `subject`, in that change: it is told if, and only if, the change is made. A row of the subject's
/// must have been written in it before, which is what keeps a subject's events in order.
///
/// # Errors
/// When the catalogue fails.
pub async fn tell(
    app: &App,
    tx: &mut Tx,
    kind: Kind,
    subject: AssetId,
    owner: Option<&AccountId>,
    data: Value,
) -> Result<(), CatalogError> {
    let now_ms = app.clock.unix_ms();
    let about = (kind.is_of_asset().then_some(subject), kind.is_of_upload().then_some(subject));
    let new = NewEvent {
        id: new_event_id(app),
        kind: kind.as_str().to_owned(),
        account: owner.cloned(),
        subject,
        body: body(kind.as_str(), now_ms, owner, about, &data),
        created_at: now_ms,
    };
    events::append(tx, &new).await
}

/// Numbers events and passes them on until the origin stops.
pub async fn run(app: Arc<App>) {
    tokio::join!(
        sequencer::run(&app),
        hub::follow(&app),
        hub::pass_on(&app),
        crate::webhooks::run(&app),
        crate::mail::run(&app),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_read_back_and_have_nothing_that_a_list_of_them_is_cut_by() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.as_str()), Some(kind));
            assert!(!kind.as_str().contains([',', '%', '_']), "{}", kind.as_str());
        }
        assert_eq!(Kind::from_name("asset.exploded"), None);
    }

    #[test]
    fn the_number_is_the_first_member() {
        assert_eq!(numbered(Some(7), r#"{"type":"x"}"#), r#"{"id":7,"type":"x"}"#);
        assert_eq!(numbered(None, r#"{"type":"x"}"#), r#"{"type":"x"}"#);
    }
}
