//! The origin: accounts, resumable uploads, the catalogue, and serving bytes to edges.
