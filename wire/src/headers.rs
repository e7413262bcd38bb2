//! Header field names of our own, in one place, and registered ones that the `http` crate does not name.

/// Request: the shared secret that marks an edge or a worker of this fleet. Never forwarded, never logged.
pub const FLEET_KEY: &str = "tidegate-fleet-key";
/// Response, only to the fleet: the visibility of the asset (`private`, `unlisted`, `public`).
pub const VISIBILITY: &str = "tidegate-visibility";
/// Request, on the creation of a partial upload: where in the final file this part begins, in bytes. With it the
/// digest of the whole is put together from the parts' without reading them again.
pub const PART_OFFSET: &str = "upload-part-offset";
/// Response, on the request that completes an upload and on HEAD of a complete one: the digest of the whole, as
/// `blake3:HEX`.
pub const DIGEST: &str = "tidegate-digest";
/// Response, beside [`DIGEST`]: the path of the asset's bytes.
pub const ASSET: &str = "tidegate-asset";
/// Response: the groups an object belongs to (RFC 9875 section 2). To the fleet: the asset's id, and `source`, `manifests`,
/// `segments`, `pictures` or `texts`.
pub const CACHE_GROUPS: &str = "cache-groups";
/// Response to a request that changes something: the groups it has changed (RFC 9875 section 3).
pub const CACHE_GROUP_INVALIDATION: &str = "cache-group-invalidation";
/// Request and response: an opaque id that follows one request through every log line.
pub const REQUEST_ID: &str = "x-request-id";
