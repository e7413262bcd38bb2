//! The last job: checks that what was made is whole and without gaps, and writes the final manifests.

use tidegate_packager::{check, manifests};
use tidegate_wire::job::PackageWork;

use crate::attempt::Attempt;
use crate::failure::Fault;

/// Stores the manifests; their names.
pub(crate) async fn make(attempt: &Attempt, work: &PackageWork) -> Result<Vec<String>, Fault> {
    // The same parts would be found wanting again: this is for a person to look at.
    let misfit = |error: check::Error| {
        Fault::permanent("parts_do_not_fit", "The pieces that were made do not fit together.")
            .log(error.to_string())
    };
    let tracks = check::tracks(work).map_err(misfit)?;
    if let Err(error) = check::ends(&tracks) {
        tracing::info!(asset = %attempt.claim.asset, %error, "package.uneven");
    }
    let mut names = Vec::new();
    for manifest in manifests(work).map_err(misfit)? {
        attempt.store(&manifest.name, manifest.bytes).await?;
        names.push(manifest.name);
    }
    Ok(names)
}
