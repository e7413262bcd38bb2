//! The API's document: complete, and true as far as it can be checked against itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use http::{Method, Request};
use serde_json::{Map, Value};
use support::api::{As, Origin};

const DOCUMENT: &str = "/api/v1/openapi.json";

async fn document() -> Value {
    Origin::start().await.get(&As::Nobody, DOCUMENT).await.expect(200).json()
}

/// Path, method and operation.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .iter()
                .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

#[tokio::test]
async fn the_document_is_served_to_anyone_and_kept_until_it_changes() {
    let origin = Origin::start().await;
    let answer = origin.get(&As::Nobody, DOCUMENT).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    let (tag, document) = (answer.header("etag").to_owned(), answer.json());
    assert_eq!(document["openapi"], "3.1.0");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let request = Request::builder().uri(DOCUMENT).header("if-none-match", known);
        let answer = origin.send(request.body(axum::body::Body::empty()).unwrap()).await.expect(304);
        assert!(answer.text.is_empty() && answer.header("etag") == tag);
    }
    let request = Request::builder().uri(DOCUMENT).header("if-none-match", "\"other\"");
    origin.send(request.body(axum::body::Body::empty()).unwrap()).await.expect(200);
    origin.call(&As::Nobody, Method::POST, DOCUMENT, None).await.expect_problem(405, "method_not_allowed");
    let again = Origin::start().await.get(&As::Nobody, DOCUMENT).await;
    assert_eq!(again.header("etag"), tag, "the same for every origin of a version");
}

/// Every source file of the HTTP surface.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files
}

#[tokio::test]
async fn no_route_of_the_api_is_registered_without_being_documented() {
    let document = document().await;
    let mut found = HashSet::new();
    for (file, text) in sources() {
        assert!(!text.contains(".route(\"/api"), "{}: use routes!, so that it is documented", file.display());
        for rest in text.split("path = \"").skip(1) {
            found.insert(rest.split('"').next().unwrap().to_owned());
        }
    }
    let documented: HashSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(found, documented, "annotated but not registered, or the other way round");
    assert!(documented.iter().all(|path| path.starts_with("/api/v1/")), "{documented:?}");
    for path in ["/api/v1/assets", "/api/v1/assets/{id}", "/api/v1/jobs/{id}/retry", DOCUMENT] {
        assert!(documented.contains(path), "{path}");
    }
}

#[tokio::test]
async fn every_operation_says_what_it_takes_answers_and_refuses() {
    let document = document().await;
    let tags: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(tags.iter().collect::<HashSet<_>>().len(), tags.len(), "{tags:?}");
    let mut ids = HashSet::new();
    for (path, method, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{at}: its id is another's");
        let tag = operation["tags"].as_array().unwrap();
        assert!(tag.len() == 1 && tags.contains(&tag[0].as_str().unwrap()), "{at}: {tag:?}");
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(summary.len() > 5 && summary.ends_with('.') && !summary.contains('\n'), "{at}: {summary:?}");
        let description = operation["description"].as_str().unwrap_or(summary);
        assert!(description.starts_with(summary), "{at}: {description:?}");
        assert_eq!(operation.get("x-problems"), None, "{at}: a code that is none");
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let all = operation["parameters"].as_array().unwrap();
            let parameter = all.iter().find(|one| one["name"] == name && one["in"] == "path").expect(&at);
            assert!(parameter["example"].is_string() && parameter["required"] == true, "{at}: {parameter}");
        }
        if let Some(body) = operation.get("requestBody") {
            assert_example(&document, &format!("{at}, body"), body);
        }
        let responses = operation["responses"].as_object().unwrap();
        let (mut answers, mut problems) = (0, 0);
        for (status, response) in responses {
            let at = format!("{at} {status}");
            assert!(!response["description"].as_str().unwrap().is_empty(), "{at}");
            match status.as_bytes()[0] {
                b'2' if status != "204" && status != "202" => {
                    assert_example(&document, &at, response);
                    answers += 1;
                }
                b'2' | b'3' => answers += 1,
                _ => {
                    let examples = &response["content"]["application/problem+json"]["examples"];
                    for (code, example) in examples.as_object().expect(&at) {
                        assert_eq!(example["value"]["code"], *code, "{at}");
                        assert_eq!(example["value"]["status"].to_string(), *status, "{at}");
                        problems += 1;
                    }
                }
            }
        }
        assert!(answers > 0 && problems > 2, "{at}");
    }
}

#[tokio::test]
async fn who_may_call_is_said_of_every_operation() {
    let document = document().await;
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert!(schemes.contains_key("cookie") && schemes.contains_key("bearer"));
    assert_eq!(document["security"].as_array().unwrap().len(), 2);
    let open: HashSet<String> = operations(&document)
        .into_iter()
        .filter(|(.., operation)| {
            let ways = operation.get("security").and_then(Value::as_array);
            ways.is_some_and(|ways| ways.iter().any(|way| way.as_object().unwrap().is_empty()))
        })
        .map(|(path, method, _)| format!("{method} {path}"))
        .collect();
    // Each of these is called without authentication by another test, all others must answer 401.
    let origin = Origin::start().await;
    for (path, method, _) in operations(&document) {
        let at = format!("{method} {path}");
        if open.contains(&at) {
            continue;
        }
        let method: Method = method.to_uppercase().parse().unwrap();
        let path = path.replace("{id}", "0197a3c1-7d2e-7c31-9d1e-0242ac120002").replace("{lang}", "en");
        let answer = origin.call(&As::Nobody, method, &path, None).await;
        assert_eq!(answer.outcome(), (401, "authentication_required".to_owned()), "{at}");
    }
}

/// Every body has an example that its schema allows.
#[track_caller]
fn assert_example(document: &Value, at: &str, body: &Value) {
    let content = body["content"].as_object().unwrap_or_else(|| panic!("{at}: no content"));
    for (kind, media) in content {
        let example = media.get("example").unwrap_or_else(|| panic!("{at}: no example of {kind}"));
        if kind == "application/json" {
            let mut faults = Vec::new();
            check(document, &media["schema"], example, "", &mut faults);
            assert!(faults.is_empty(), "{at}: {faults:#?}\n{example:#}");
        }
    }
}

/// As much of JSON Schema as the document uses.
fn check(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    if let Some(path) = schema["$ref"].as_str() {
        let target = document.pointer(path.trim_start_matches('#'));
        match target {
            Some(target) => check(document, target, value, at, faults),
            None => faults.push(format!("{at}: {path} is nowhere")),
        }
        return;
    }
    if let Some(ways) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let fits = ways.iter().any(|way| {
            let mut faults = Vec::new();
            check(document, way, value, at, &mut faults);
            faults.is_empty()
        });
        if !fits {
            faults.push(format!("{at}: {value} is none of what may be there"));
        }
        return;
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = types.contains(&is) || (is == "integer" && types.contains(&"number"));
    if !types.is_empty() && !fits {
        faults.push(format!("{at}: {value} is no {types:?}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        faults.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
        for (n, value) in values.iter().enumerate() {
            check(document, items, value, &format!("{at}[{n}]"), faults);
        }
    }
    if let Value::Object(members) = value {
        check_members(document, schema, members, at, faults);
    }
}

fn check_members(
    document: &Value,
    schema: &Value,
    members: &Map<String, Value>,
    at: &str,
    faults: &mut Vec<String>,
) {
    let (mut known, mut required) = (Map::new(), Vec::new());
    let is_open = gather(document, schema, &mut known, &mut required);
    for (name, value) in members {
        match known.get(name) {
            Some(schema) => check(document, schema, value, &format!("{at}.{name}"), faults),
            None if is_open => {}
            None => faults.push(format!("{at}.{name}: the schema knows nothing of it")),
        }
    }
    for name in required {
        if !members.contains_key(&name) {
            faults.push(format!("{at}.{name}: required, and not there"));
        }
    }
}

/// The members of an object's schema, also of those it is made of. `true` where any others may be there too.
fn gather(
    document: &Value,
    schema: &Value,
    known: &mut Map<String, Value>,
    required: &mut Vec<String>,
) -> bool {
    if let Some(path) = schema["$ref"].as_str() {
        return gather(document, document.pointer(path.trim_start_matches('#')).unwrap(), known, required);
    }
    let mut is_open = schema.get("additionalProperties").is_some_and(|more| *more != false);
    let parts = schema["allOf"].as_array();
    for part in parts.into_iter().flatten() {
        is_open |= gather(document, part, known, required);
    }
    let properties = schema["properties"].as_object();
    known.extend(properties.into_iter().flatten().map(|(name, schema)| (name.clone(), schema.clone())));
    required.extend(
        schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()),
    );
    is_open || (properties.is_none() && parts.is_none())
}
