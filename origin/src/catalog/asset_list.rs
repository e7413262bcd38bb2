//! Lists of assets: what is looked for, in which order, and from where on.
//!
//! A page is found by its place in an index (`(key, id)` after the last entry of the page before), so that the
//! hundredth is as quick as the first. A search for a piece of text and filters read one index of all they have to
//! choose from; those by tag or metadata read the rows as well.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use tidegate_wire::AssetId;

use super::assets::{self, Asset, Visibility};
use super::{AccountId, Catalog, CatalogError, get_u64, to_db};
use crate::about;
use crate::limits;

/// What a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// When the asset was made.
    Created,
    /// Its title, or else its name.
    Title,
    /// Its size.
    Size,
    /// How long it plays; what does not comes first.
    Duration,
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: By,
    /// The largest first.
    pub descending: bool,
}

impl Order {
    /// Every order, by its name.
    pub const NAMES: [(&'static str, Self); 8] = [
        ("created", Self { by: By::Created, descending: false }),
        ("-created", Self { by: By::Created, descending: true }),
        ("title", Self { by: By::Title, descending: false }),
        ("-title", Self { by: By::Title, descending: true }),
        ("size", Self { by: By::Size, descending: false }),
        ("-size", Self { by: By::Size, descending: true }),
        ("duration", Self { by: By::Duration, descending: false }),
        ("-duration", Self { by: By::Duration, descending: true }),
    ];

    /// The order of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, order)| order)
    }

    fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, order)| *order == self).map_or("", |(name, _)| name)
    }

    const fn column(self) -> &'static str {
        match self.by {
            By::Created => "created_at",
            By::Title => "title_key",
            By::Size => "size_bytes",
            By::Duration => "duration_ms",
        }
    }
}

/// A value that lists are ordered by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    Number(i64),
    Text(String),
}

/// A place in a list: behind an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    order: String,
    key: Key,
    id: AssetId,
}

impl Place {
    /// Behind this asset.
    pub fn behind(asset: &Asset, order: Order) -> Self {
        let key = match order.by {
            By::Created => Key::Number(to_db(asset.created_at)),
            By::Title => Key::Text(asset.about.title_key(&asset.name)),
            By::Size => Key::Number(to_db(asset.size_bytes)),
            By::Duration => Key::Number(asset.duration_ms.map_or(-1, to_db)),
        };
        Self { order: order.name().to_owned(), key, id: asset.id }
    }

    /// As clients are given it: a text that says nothing to them.
    pub fn encode(&self) -> String {
        // Texts and a number cannot fail to serialise.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads what [`Self::encode`] wrote for a list in this order; `None` for anything else.
    pub fn decode(text: &str, order: Order) -> Option<Self> {
        if text.len() > limits::CURSOR_BYTES {
            return None;
        }
        let place: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let fits = match &place.key {
            Key::Number(_) => order.by != By::Title,
            Key::Text(text) => order.by == By::Title && !text.contains('\0'),
        };
        (place.order == order.name() && fits).then_some(place)
    }
}

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose; `None` for everyone's.
    pub owner: Option<AccountId>,
    /// In the trash rather than outside.
    pub trashed: bool,
    /// A piece of its name, title, description or of a tag, whatever the case.
    pub text: Option<String>,
    /// Every one of these terms (see [`about`]).
    pub terms: Vec<String>,
    /// How far what is made of it has come.
    pub state: Option<String>,
    /// Who may read it.
    pub visibility: Option<Visibility>,
    /// In which order.
    pub order: Order,
}

impl Wanted {
    /// At most `limit` assets from `after` on.
    ///
    /// # Errors
    /// When the catalogue fails.
    pub async fn page(
        &self,
        catalog: &Catalog,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<Asset>, CatalogError> {
        let mut statement = Statement::default();
        let (mut conditions, mut filters, terms) = self.conditions(&mut statement);
        if self.order.by == By::Created || filters.is_empty() {
            conditions.append(&mut filters);
        } else {
            // In the order's own index every row would have to be looked up to be filtered.
            let among = [conditions.as_slice(), &[BY_AGE.to_owned()], &filters].concat().join(" AND ");
            conditions.push(format!("id IN (SELECT id FROM assets WHERE {among})"));
        }
        conditions.extend(terms);
        let (column, descending) = (self.order.column(), self.order.descending);
        if let Some(Place { key, id, .. }) = after {
            let is_behind = if descending { '<' } else { '>' };
            let key = match key {
                Key::Number(number) => statement.number(*number),
                Key::Text(text) => statement.text(text.clone()),
            };
            let id = statement.text(id.to_string());
            conditions.push(format!("({column}, id) {is_behind} ({key}, {id})"));
        }
        let way = if descending { "DESC" } else { "ASC" };
        let limit = statement.number(i64::from(limit));
        let text = format!(
            "{} {} ORDER BY {column} {way}, id {way} LIMIT {limit}",
            assets::select!("WHERE"),
            conditions.join(" AND ")
        );
        statement.run(catalog, text).await?.iter().map(assets::read).collect()
    }

    /// How many there are in all.
    ///
    /// # Errors
    /// When the catalogue fails.
    pub async fn total(&self, catalog: &Catalog) -> Result<u64, CatalogError> {
        let mut statement = Statement::default();
        let (mut conditions, filters, terms) = self.conditions(&mut statement);
        if !filters.is_empty() {
            conditions.push(BY_AGE.to_owned());
        }
        let all = [conditions, filters, terms].concat().join(" AND ");
        let text = format!("SELECT COUNT(*) AS many FROM assets WHERE {all}");
        let rows = statement.run(catalog, text).await?;
        rows.first().map_or(Ok(0), |row| get_u64(row, "many"))
    }

    /// Conditions on where to look, on what the index by age holds, and on terms.
    fn conditions(&self, statement: &mut Statement) -> (Vec<String>, Vec<String>, Vec<String>) {
        let mut places = vec![format!("trashed_at IS {}NULL", if self.trashed { "NOT " } else { "" })];
        if let Some(owner) = &self.owner {
            places.push(format!("owner = {}", statement.text(owner.as_str().to_owned())));
        }
        let mut filters = Vec::new();
        if let Some(text) = &self.text {
            let pattern = statement.text(holding(&about::fold(text)));
            filters.push(format!("search_text LIKE {pattern} ESCAPE '!'"));
        }
        if let Some(state) = &self.state {
            filters.push(format!("state = {}", statement.text(state.clone())));
        }
        if let Some(visibility) = self.visibility {
            filters.push(format!("visibility = {}", statement.text(visibility.as_str().to_owned())));
        }
        let like = |term: &String| format!("terms LIKE {} ESCAPE '!'", statement.text(holding(term)));
        (places, filters, self.terms.iter().map(like).collect())
    }
}

/// True of every asset; what makes SQLite look at the index by age, which holds what is filtered by.
const BY_AGE: &str = "created_at >= 0";

/// A pattern for whatever has `text` in it, as it stands.
fn holding(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Values in the order of their places in a statement.
#[derive(Debug, Default)]
struct Statement {
    values: Vec<Key>,
}

impl Statement {
    fn text(&mut self, value: String) -> String {
        self.values.push(Key::Text(value));
        format!("${}", self.values.len())
    }

    fn number(&mut self, value: i64) -> String {
        self.values.push(Key::Number(value));
        format!("${}", self.values.len())
    }

    /// Runs a text that is made here alone; everything from outside is a value.
    async fn run(self, catalog: &Catalog, text: String) -> Result<Vec<sqlx::any::AnyRow>, CatalogError> {
        let mut query = sqlx::query(AssertSqlSafe(text));
        for value in self.values {
            query = match value {
                Key::Number(number) => query.bind(number),
                Key::Text(text) => query.bind(text),
            };
        }
        Ok(query.fetch_all(catalog.pool()).await?)
    }
}

/// What is held, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Assets that are not in the trash.
    pub assets: u64,
    /// Their bytes.
    pub assets_bytes: u64,
    /// Bytes of what is in the trash.
    pub trash_bytes: u64,
    /// Bytes of unfinished uploads and of parts.
    pub uploads_bytes: u64,
}

/// Adds up what is held.
///
/// # Errors
/// When the catalogue fails.
pub async fn held(catalog: &Catalog) -> Result<Held, CatalogError> {
    let row = sqlx::query(
        "SELECT COUNT(CASE WHEN trashed_at IS NULL THEN 1 END) AS assets,
                CAST(COALESCE(SUM(CASE WHEN trashed_at IS NULL THEN size_bytes ELSE 0 END), 0) AS BIGINT) AS assets_bytes,
                CAST(COALESCE(SUM(CASE WHEN trashed_at IS NULL THEN 0 ELSE size_bytes END), 0) AS BIGINT) AS trash_bytes
         FROM assets",
    )
    .fetch_one(catalog.pool())
    .await?;
    let uploads = sqlx::query(
        "SELECT CAST(COALESCE(SUM(checkpoint_offset), 0) AS BIGINT) AS bytes FROM uploads
         WHERE state = 'open' OR (state = 'complete' AND kind = 'partial')",
    )
    .fetch_one(catalog.pool())
    .await?;
    Ok(Held {
        assets: get_u64(&row, "assets")?,
        assets_bytes: get_u64(&row, "assets_bytes")?,
        trash_bytes: get_u64(&row, "trash_bytes")?,
        uploads_bytes: get_u64(&uploads, "bytes")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_again_only_for_its_own_order() {
        let id: AssetId = "0197a3c1-7d2e-7c31-9d1e-0242ac120002".parse().unwrap();
        let place = |order: &str, key: Key| Place { order: order.to_owned(), key, id };
        let sizes = Order::named("-size").unwrap();
        let titles = Order::named("title").unwrap();
        let text = place("-size", Key::Number(5)).encode();
        assert_eq!(Place::decode(&text, sizes), Some(place("-size", Key::Number(5))));
        for (name, _) in Order::NAMES.iter().filter(|(name, _)| *name != "-size") {
            assert_eq!(Place::decode(&text, Order::named(name).unwrap()), None, "{name}");
        }
        for bad in [
            place("-size", Key::Text("5".to_owned())).encode(),
            URL_SAFE_NO_PAD.encode("{}"),
            URL_SAFE_NO_PAD.encode(format!(r#"{{"order":"-size","key":5,"id":"{id}' OR 1=1"}}"#)),
            "!".to_owned(),
            String::new(),
            "A".repeat(5000),
        ] {
            assert_eq!(Place::decode(&bad, sizes), None, "{bad}");
        }
        assert_eq!(Place::decode(&place("title", Key::Text("a\0".to_owned())).encode(), titles), None);
        assert_eq!(Place::decode(&place("title", Key::Number(1)).encode(), titles), None);
    }

    #[test]
    fn a_searched_text_stands_for_itself() {
        assert_eq!(holding("50%_a!b"), "%50!%!_a!!b%");
    }
}
