//! Problems as the document shows them: one schema, and for each operation a response per status with an example per
//! code.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidegate_wire::{Code, Problem};

/// The schema of every error (RFC 9457 section 3.1, and `code`).
pub(super) fn schema() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457). `code` is stable and what programs go by.",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": { "type": "string", "description": "`urn:tidegate:problem:` and the code." },
            "title": { "type": "string", "description": "The same for every occurrence of the code." },
            "status": { "type": "integer", "description": "The HTTP status." },
            "code": { "type": "string", "enum": codes },
            "detail": { "type": "string", "description": "What is particular to this occurrence." },
        },
        "examples": [example(Code::AssetNotFound)],
    })
}

/// The code of this name.
pub(super) fn named(name: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.as_str() == name)
}

/// Adds the responses for these codes.
pub(super) fn respond(responses: &mut Map<String, Value>, codes: &[Code]) {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        let same = by_status.entry(code.status()).or_default();
        if !same.contains(code) {
            same.push(*code);
        }
    }
    for (status, codes) in by_status {
        let lines: Vec<String> =
            codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
        let examples: Map<String, Value> =
            codes.iter().map(|code| (code.as_str().to_owned(), json!({ "value": example(*code) }))).collect();
        let mut response = json!({
            "description": lines.join("\n\n"),
            "content": {
                Problem::CONTENT_TYPE: {
                    "schema": { "$ref": "#/components/schemas/Problem" },
                    "examples": examples,
                },
            },
        });
        if status == 429 {
            response["headers"]["RateLimit"] = json!({
                "description": "How the allowance stands (draft-ietf-httpapi-ratelimit-headers). Every answer that is \
                                counted has it, and `RateLimit-Policy`.",
                "schema": { "type": "string" },
            });
        }
        if matches!(status, 429 | 503) {
            response["headers"]["Retry-After"] = json!({
                "description": "Seconds after which to try again, where that is known.",
                "schema": { "type": "integer" },
            });
        }
        responses.insert(status.to_string(), response);
    }
}

fn example(code: Code) -> Value {
    serde_json::to_value(Problem::from(code).body()).unwrap_or_default()
}
