//! JSON bodies, parsed into types. An error names the field that is wrong.

use std::fmt;
use std::marker::PhantomData;

use axum::extract::Request;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::Segment;
use uuid::Uuid;

use crate::body;
use crate::error::{Error, FieldPath, unknown_name};

/// The field name of an error that concerns the whole body.
const BODY: &str = "body";
/// The longest reason in an answer.
const MAX_CHARACTERS: usize = 640;
/// Larger bodies are parsed on a separate thread, because they would delay other requests.
const MAX_INLINE_BYTES: usize = 128 * 1024;

/// Reads a JSON body of at most `limit_bytes`.
pub(in crate::v0) async fn read<T: DeserializeOwned + Send + 'static>(
    request: Request,
    limit_bytes: usize,
) -> Result<T, Error> {
    read_as(request, limit_bytes, parse).await
}

/// Reads a JSON body of at most `limit_bytes`, and returns a hash of it too.
pub(in crate::v0) async fn read_hashed<T: DeserializeOwned + Send + 'static>(
    request: Request,
    limit_bytes: usize,
) -> Result<(T, Uuid), Error> {
    // The document for the hash is dropped before the body is parsed into its type.
    let parse = |bytes: &[u8]| hash(bytes).and_then(|hash| Ok((parse(bytes)?, hash)));
    read_as(request, limit_bytes, parse).await
}

/// Returns a hash that does not depend on white space and the order of names.
fn hash(bytes: &[u8]) -> Result<Uuid, Error> {
    let mut document: Value =
        serde_json::from_slice(bytes).map_err(|error| Error::Json(error.to_string()))?;
    document.sort_all_objects();
    Ok(Uuid::new_v5(&Uuid::nil(), document.to_string().as_bytes()))
}

async fn read_as<T: Send + 'static>(
    request: Request,
    limit_bytes: usize,
    parse: fn(&[u8]) -> Result<T, Error>,
) -> Result<T, Error> {
    let (head, body) = request.into_parts();
    body::require_json(&head.headers)?;
    let bytes = body::read(&head.headers, body, limit_bytes).await?;
    if bytes.len() <= MAX_INLINE_BYTES {
        return parse(&bytes);
    }
    tokio::task::spawn_blocking(move || parse(&bytes)).await.map_err(|_| Error::Internal)?
}

/// Parses a JSON object into a type.
pub(in crate::v0) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value: Object<T> = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let at = field_path(error.path());
        let error = error.into_inner();
        if error.classify() == Category::Data {
            return invalid(at, &error);
        }
        // serde_json reports a value that cannot be a variant's name as a syntax error.
        if error.to_string().starts_with("expected value") && is_json(bytes) {
            return Error::Invalid { at, reason: "invalid type, expected a string".to_owned() };
        }
        Error::Json(error.to_string())
    })?;
    json.end().map_err(|error| Error::Json(error.to_string()))?;
    Ok(value.0)
}

/// Whether the text is valid JSON. Builds no document, which may need far more memory than the text.
fn is_json(bytes: &[u8]) -> bool {
    let parsed = std::str::from_utf8(bytes).map(serde_json::from_str::<IgnoredAny>);
    matches!(parsed, Ok(Ok(_)))
}

fn invalid(mut at: FieldPath, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    // The position in the text is less useful than the name of the field.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(before, _)| before);
    let (found, expected) = text.rsplit_once(", expected ").unwrap_or((text, ""));
    let why = if text.starts_with("unknown field ") {
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        unknown_name("field", &at.field, &known)
    } else if let Some(name) = text.strip_prefix("duplicate field ") {
        // serde reports it before it enters the field, so the path lacks it.
        at = below(at, name.trim_matches('`'));
        "it must not be given twice".to_owned()
    } else if expected.is_empty() {
        found.to_owned()
    } else {
        format!("{}, expected {}", json_terms(found), json_terms(expected))
    };
    // The reason may repeat a value of any length.
    Error::Invalid { at, reason: why.chars().take(MAX_CHARACTERS).collect() }
}

fn json_terms(text: &str) -> &str {
    match text {
        "u32" | "u64" => "a non-negative whole number",
        "i64" => "a whole number",
        "a map" => "an object",
        "a sequence" => "an array",
        "invalid type: map" => "invalid type: object",
        "invalid type: sequence" => "invalid type: array",
        other => other,
    }
}

fn below(at: FieldPath, name: &str) -> FieldPath {
    let FieldPath { index, field } = at;
    let above = if field == BODY { String::new() } else { field };
    let field = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
    FieldPath { index, field }
}

/// Returns the field at a path of serde: `jobs[3].capacityMap.scan` is the field `capacityMap.scan`
/// of job 3.
fn field_path(path: &serde_path_to_error::Path) -> FieldPath {
    let (mut index, mut field) = (None, String::new());
    for segment in path.iter() {
        match segment {
            Segment::Seq { index: at } if index.is_none() && field == "jobs" => {
                index = Some(*at);
                field.clear();
            }
            Segment::Seq { index } => field.push_str(&format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                if !field.is_empty() {
                    field.push('.');
                }
                field.extend(name.chars().take(64));
            }
            Segment::Unknown => {}
        }
    }
    if field.is_empty() && index.is_none() {
        field.push_str(BODY);
    }
    FieldPath { index, field }
}

/// Deserializes from a JSON object only. By itself, serde also accepts an array with the values of
/// the fields in order.
#[derive(Debug)]
pub(in crate::v0) struct Object<T>(pub(in crate::v0) T);

impl<'de, T: DeserializeOwned> serde::Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for OfObject<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(OfObject(PhantomData))
    }
}
