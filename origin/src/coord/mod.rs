//! What origins share beyond the record: nothing here is lost for good when it is lost.

pub mod sessions;

use std::future::Future;
use std::pin::Pin;

/// A boxed future, for traits that are used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Redis does not answer, or not sensibly. The same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("the coordination service is not available")]
pub struct CoordError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
