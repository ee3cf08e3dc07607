//! Bodies: read to a limit, of the right type, as JSON, into a type; what is wrong is refused by
//! the name of its field.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, EXPECT};
use futures_util::StreamExt;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_path_to_error::Segment;

use crate::error::{Error, Place, unknown_name};

/// The place of what is wrong with all of it.
const BODY: &str = "body";
/// How much is said of what is wrong.
const MOST_CHARACTERS: usize = 640;
/// A body must be there within this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// So much of a body that is too large is read and thrown away, so that its sender gets to see the
/// answer.
const DRAINED_BYTES: usize = 16 * 1024 * 1024;
/// A larger body takes so long to be understood that it would hold up others.
const BRIEF_BYTES: usize = 128 * 1024;
const DRAIN: Duration = Duration::from_secs(2);

/// Reads a JSON body of at most `limit_bytes`.
pub(super) async fn read<T: DeserializeOwned + Send + 'static>(
    request: Request,
    limit_bytes: usize,
) -> Result<T, Error> {
    let (head, body) = request.into_parts();
    refuse_other_types(&head.headers)?;
    let bytes = bytes(&head.headers, body, limit_bytes).await?;
    if bytes.len() <= BRIEF_BYTES {
        return parse(&bytes);
    }
    tokio::task::spawn_blocking(move || parse(&bytes)).await.map_err(|_| Error::Broken)?
}

/// Reads a body of at most `limit_bytes`, whatever it is.
pub(crate) async fn bytes(
    headers: &HeaderMap,
    body: Body,
    limit_bytes: usize,
) -> Result<Bytes, Error> {
    let expects = headers.contains_key(EXPECT);
    let reading = tokio::time::timeout(PATIENCE, whole(body, limit_bytes, expects));
    reading.await.map_err(|_| Error::Json("it did not come in time".to_owned()))?
}

/// A body without a type is taken for JSON, as DTR's clients expect.
pub(crate) fn refuse_other_types(headers: &HeaderMap) -> Result<(), Error> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = String::from_utf8_lossy(value.as_bytes());
    let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = kind.is_empty()
        || kind == "application/json"
        || (kind.starts_with("application/") && kind.ends_with("+json"));
    if json { Ok(()) } else { Err(Error::MediaType(text.chars().take(64).collect())) }
}

async fn whole(body: Body, limit_bytes: usize, expects: bool) -> Result<Bytes, Error> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            // It broke off; or there is no room for it, and whoever sends it is to see the answer.
            drain(chunks).await;
            return Err(Error::Json("it ended before its end".to_owned()));
        };
        if bytes.len() + chunk.len() > limit_bytes {
            // Who waits for a permit to send has not sent the rest.
            if !expects {
                drain(chunks).await;
            }
            return Err(Error::TooLarge { place: Place::field(BODY), limit_bytes });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

async fn drain(mut chunks: axum::body::BodyDataStream) {
    let draining = async {
        let mut left = DRAINED_BYTES;
        while let Some(Ok(chunk)) = chunks.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    // What is left then is the sender's trouble.
    let _ = tokio::time::timeout(DRAIN, draining).await;
}

/// Reads JSON into a type.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value: Object<T> = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let place = place(error.path());
        refused(place, &error.into_inner())
    })?;
    json.end().map_err(|error| Error::Json(error.to_string()))?;
    Ok(value.0)
}

fn refused(mut place: Place, error: &serde_json::Error) -> Error {
    if error.classify() != Category::Data {
        return Error::Json(error.to_string());
    }
    let text = error.to_string();
    // What serde adds is the place in the text, which the name of the field says better.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(before, _)| before);
    let (found, expected) = text.rsplit_once(", expected ").unwrap_or((text, ""));
    let why = if text.starts_with("unknown field ") {
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        unknown_name("field", &place.field, &known)
    } else if let Some(name) = text.strip_prefix("duplicate field ") {
        // It is noticed between the fields, so the path ends one step too early.
        place = below(place, name.trim_matches('`'));
        "the field is given twice".to_owned()
    } else if expected.is_empty() {
        found.to_owned()
    } else {
        format!("{}, expected {}", in_words_of_json(found), in_words_of_json(expected))
    };
    // It repeats what stands there, however long.
    Error::Invalid { place, why: why.chars().take(MOST_CHARACTERS).collect() }
}

fn in_words_of_json(text: &str) -> &str {
    match text {
        "u32" | "u64" => "a whole number from 0 on",
        "i64" => "a whole number",
        "a map" => "an object",
        "a sequence" => "an array",
        "invalid type: map" => "invalid type: object",
        "invalid type: sequence" => "invalid type: array",
        other => other,
    }
}

fn below(place: Place, name: &str) -> Place {
    let Place { index, field } = place;
    let above = if field == BODY { String::new() } else { field };
    let field = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
    Place { index, field }
}

/// Where serde was: `jobs[3].capacityMap.scan` is the field `capacityMap.scan` of job 3.
fn place(path: &serde_path_to_error::Path) -> Place {
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
    Place { index, field }
}

/// Reads only from a JSON object: serde would also fill a struct from an array, by the order of its
/// fields.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

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
