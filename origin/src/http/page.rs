//! Lists in pages, newest first: `?limit&cursor` in, `next_cursor` out.

use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use uuid::Uuid;

use super::error::ApiError;

/// What a client asks for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Entries of a page at most.
    #[param(minimum = 1, example = 50)]
    pub(super) limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

/// An id that the catalogue keeps as a text, in order of time.
#[derive(Debug, Clone, Serialize)]
pub(super) struct IdText(pub(super) String);

impl FromStr for IdText {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse::<Uuid>().map(|id| Self(id.to_string()))
    }
}

/// A page that can be asked of the catalogue.
#[derive(Debug)]
pub(super) struct Wanted<I> {
    /// Entries before this one.
    pub(super) before: Option<I>,
    entries: u32,
}

impl Page {
    /// Reads it, `usual` being the number of entries where none is asked for.
    ///
    /// # Errors
    /// `invalid_field`, naming what is allowed.
    pub(super) fn read<I: FromStr>(
        self,
        usual: u32,
        allowed: RangeInclusive<u32>,
    ) -> Result<Wanted<I>, ApiError> {
        let entries = self.limit.unwrap_or(usual);
        if !allowed.contains(&entries) {
            return Err(ApiError::field(format!("limit: {} to {}", allowed.start(), allowed.end())));
        }
        let before = self.cursor.map(|cursor| cursor.parse()).transpose();
        let before =
            before.map_err(|_| ApiError::field("cursor: take it from `next_cursor` of the page before"))?;
        Ok(Wanted { before, entries })
    }
}

impl<I> Wanted<I> {
    /// How many to look for: one more than asked, to know whether there is a next page.
    pub(super) fn to_look_for(&self) -> u32 {
        self.entries + 1
    }

    /// Cuts what was found to the page, and says where the next one begins.
    pub(super) fn cut<T>(&self, found: &mut Vec<T>, id: impl Fn(&T) -> I) -> Option<I> {
        let entries = usize::try_from(self.entries).unwrap_or(usize::MAX);
        let next = (found.len() > entries).then(|| id(&found[entries - 1]));
        found.truncate(entries);
        next
    }
}
