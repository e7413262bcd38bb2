//! Parts that do not fit together: workers of two versions or settings have made them. They are made anew, all of them,
//! so that they do.

use tidegate_wire::job::{Failure, Work};

use crate::app::App;
use crate::catalog::jobs::Job;
use crate::catalog::revisions::{Revision, RevisionState};
use crate::catalog::{CatalogError, Tx, queue};
use crate::limits;

/// The code a package ends with whose parts do not fit.
pub const MISFIT: &str = "parts_do_not_fit";

/// Whether a package's failure is one that is answered by making the parts anew, without anyone asking for it.
pub(super) fn is_due(revision: &Revision, job: &Job, failure: &Failure) -> bool {
    matches!(job.work, Work::Package(_))
        && failure.code == MISFIT
        && revision.state != RevisionState::Ready
        && revision.remakes < limits::REMAKES
}

/// Whether a package has failed since its parts do not fit.
pub(super) fn is_misfit(job: &Job) -> bool {
    let code = job.error.as_ref().map(|(code, _)| code.as_str());
    matches!(job.work, Work::Package(_)) && code == Some(MISFIT)
}

/// Has every part of a locked revision made once more, and its package wait for them. `false` if there are none.
pub(super) async fn begin(app: &App, tx: &mut Tx, package: &Job) -> Result<bool, CatalogError> {
    let again = queue::make_again(tx, package.revision, package.id, app.clock.unix_ms()).await?;
    queue::wait_for(tx, package.id, again).await?;
    Ok(again > 0)
}
