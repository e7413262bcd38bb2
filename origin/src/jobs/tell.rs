//! What others are told of a revision, in the change that has made it what it is.

use serde_json::json;

use crate::app::App;
use crate::catalog::revisions::{Revision, RevisionState};
use crate::catalog::{AccountId, CatalogError, Tx, events};
use crate::events::{Kind, tell};

/// How far a revision was before a change.
pub(super) type Before = (RevisionState, Option<u64>);

/// How far a revision is, before a change is made to it.
pub(super) fn before(revision: &Revision) -> Before {
    (revision.state, revision.playable_at)
}

/// Tells what has become of a locked revision since `before`.
///
/// # Errors
/// When the catalogue fails.
pub(super) async fn changes(
    app: &App,
    tx: &mut Tx,
    revision: &Revision,
    before: Before,
) -> Result<(), CatalogError> {
    let is = |state: RevisionState| before.0 != state && revision.state == state;
    let mut kinds = Vec::new();
    if before.1.is_none() && revision.playable_at.is_some() {
        kinds.push(Kind::AssetPlayable);
    }
    if is(RevisionState::Ready) {
        kinds.push(Kind::AssetReady);
    } else if is(RevisionState::Failed) {
        kinds.push(Kind::AssetFailed);
    } else if before.0 == RevisionState::Failed && revision.state != RevisionState::Failed {
        kinds.push(Kind::AssetChanged);
    }
    if kinds.is_empty() {
        return Ok(());
    }
    // A revision outlives its asset for moments at most; there is nothing to tell of it then.
    let Some(name) = events::name_of(tx, revision.id.asset).await? else { return Ok(()) };
    let owner = (!revision.account.is_empty()).then(|| AccountId::new(revision.account.as_str()));
    for kind in kinds {
        let mut data = json!({ "name": name, "state": revision.state, "revision": revision.id.number });
        if let (Kind::AssetFailed, Some((code, message))) = (kind, &revision.error) {
            data["error"] = json!({ "code": code, "message": message });
        }
        tell(app, tx, kind, revision.id.asset, owner.as_ref(), data).await?;
    }
    Ok(())
}
