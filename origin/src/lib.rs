//! The origin: accounts, resumable uploads, the catalogue, and serving bytes to edges.
//!
//! The modules stand in the order in which a request meets them.

pub mod config;
pub mod limits;

pub mod about;
pub mod app;
pub mod deletion;
pub mod housekeeping;
pub mod metrics;
pub mod plays;
pub mod server;

pub mod http;

mod html;

pub mod access;
pub mod audit;
pub mod rates;

pub mod accounts;
pub mod grants;

pub mod protocol;

pub mod ingest;

pub mod jobs;

pub mod events;
pub mod mail;
pub mod outgoing;
pub mod webhooks;

pub mod coord;
pub mod digest;
pub mod store;

pub mod catalog;
