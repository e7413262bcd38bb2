//! What follows for every operation from what its handler says.

use http::StatusCode;
use serde_json::{Map, Value, json};
use tidegate_wire::Code;

use super::problems;

/// Where handlers name the codes that are particular to them.
const PROBLEMS: &str = "x-problems";

/// What every operation can answer: a token that is sent must be valid, also where none is needed.
const ALWAYS: &[Code] = &[Code::InvalidToken, Code::RateLimited, Code::Internal, Code::Unavailable];
/// What one that asks who is there can.
const ASKING: &[Code] = &[Code::AuthenticationRequired, Code::Forbidden];
/// What one that reads a JSON body can.
const READING: &[Code] = &[
    Code::BadRequest,
    Code::InvalidJson,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
    Code::InvalidField,
];

/// What stands in the place of a path's `{name}`, by how the path begins.
const NAMES: &[(&str, &str, &str, &str)] = &[
    ("/api/v1/assets/", "id", "The asset's id.", "0197a3c1-7d2e-7c31-9d1e-0242ac120002"),
    ("/api/v1/assets/", "lang", "A language tag (BCP 47).", "en"),
    ("/api/v1/jobs/", "id", "The job's id.", "0197a3c1-8f00-7001-b1a2-0242ac120002"),
    ("/api/v1/webhooks/", "id", "The webhook's id.", "0197a3c4-0b1c-7a55-8f1e-0242ac120002"),
    (
        "/api/v1/deliveries/",
        "id",
        "The delivery's id.",
        "1000000000000042-0197a3c4-0b1c-7a55-8f1e-0242ac120002",
    ),
    ("/api/v1/plays/", "id", "The play's id.", "0197a3c2-11aa-7d0e-8c51-0242ac120002"),
    ("/api/v1/purges/", "id", "The purge's number.", "42"),
    ("/api/v1/accounts/", "id", "The account's id.", "0197a3c0-5a10-7b6e-a0f3-0242ac120002"),
    ("/api/v1/sessions/", "id", "The session's id.", "0197a3c0-7a10-7b6e-a0f3-0242ac120002"),
    ("/api/v1/", "id", "Its id.", "0197a3c0-5a10-7b6e-a0f3-0242ac120002"),
];

/// Completes every operation of the document.
pub(super) fn complete(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                part_summary(operation);
                name_parameters(path, operation);
                add_problems(method, operation);
                show_examples(&schemas, operation);
            }
        }
    }
}

/// The first sentence of a handler's comment is the summary, all of it the description; where lines end says nothing.
fn part_summary(operation: &mut Map<String, Value>) {
    let text = |member: &str| operation.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let paragraphs = format!("{}\n\n{}", text("summary"), text("description"));
    let paragraphs = paragraphs.trim().split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    let whole = paragraphs.collect::<Vec<_>>().join("\n\n");
    let summary = whole.split_inclusive(['.', '\n']).next().unwrap_or_default().trim().to_owned();
    if whole == summary {
        operation.remove("description");
    } else {
        operation.insert("description".to_owned(), json!(whole));
    }
    operation.insert("summary".to_owned(), json!(summary));
}

fn name_parameters(path: &str, operation: &mut Map<String, Value>) {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    let Some(parameters) = parameters.as_array_mut() else { return };
    for name in names {
        let known = NAMES.iter().find(|(begin, of, ..)| path.starts_with(begin) && *of == name);
        let Some((_, _, description, example)) = known else { continue };
        if parameters.iter().any(|known| known["in"] == "path" && known["name"] == name) {
            continue;
        }
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": description,
            "schema": { "type": "string" }, "example": example,
        }));
    }
}

fn add_problems(method: &str, operation: &mut Map<String, Value>) {
    // Names that are no codes stay where they are: a test sees them.
    let named = operation.remove(PROBLEMS).unwrap_or_default();
    let names: Vec<&str> = named.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut codes: Vec<Code> = names.iter().filter_map(|name| problems::named(name)).collect();
    if codes.len() < names.len() {
        operation.insert(PROBLEMS.to_owned(), named.clone());
    }
    codes.extend(ALWAYS);
    // Nothing is said of it: it takes a session or a token, as the document says once for all.
    let security = operation.get("security").and_then(Value::as_array);
    let asks =
        security.is_none_or(|ways| ways.iter().any(|way| way.as_object().is_some_and(|way| !way.is_empty())));
    let may_be_anyone =
        security.is_some_and(|ways| ways.iter().any(|way| way.as_object().is_some_and(Map::is_empty)));
    if asks && !may_be_anyone {
        codes.extend(ASKING);
    }
    if method != "get" {
        codes.push(Code::CrossSite);
    }
    if operation.get("requestBody").is_some_and(|body| body["content"].get("application/json").is_some()) {
        codes.extend(READING);
    }
    let parameters = operation.get("parameters").and_then(Value::as_array);
    if parameters.is_some_and(|all| all.iter().any(|parameter| parameter["in"] == "query")) {
        codes.push(Code::InvalidField);
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    if let Some(responses) = responses.as_object_mut() {
        problems::respond(responses, &codes);
    }
}

/// Says what a response is for where its handler does not, and shows a body's example where it is.
fn show_examples(schemas: &Value, operation: &mut Map<String, Value>) {
    for (status, response) in
        operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten()
    {
        let says = response["description"].as_str().is_some_and(|text| !text.is_empty());
        if !says {
            let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
            response["description"] =
                json!(status.and_then(|status| status.canonical_reason()).unwrap_or("An answer."));
        }
        show_example(schemas, response);
    }
    if let Some(body) = operation.get_mut("requestBody") {
        show_example(schemas, body);
    }
}

fn show_example(schemas: &Value, body: &mut Value) {
    for media in
        body.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten().map(|(_, media)| media)
    {
        if media.get("example").is_some() || media.get("examples").is_some() {
            continue;
        }
        let name =
            media["schema"]["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        if let Some(example) = schemas[name]["examples"].get(0) {
            media["example"] = example.clone();
        }
    }
}
