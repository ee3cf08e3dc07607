//! The settings of the namespace, by the names that the reference has for them. Of its many settings
//! only those that concern jobs are known here; others are refused by name.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::job::GoDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::deadline::in_time;
use crate::error::Error;
use crate::v0::wire::body;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadBody, BadQuery, StoreUnavailable, TooLarge, WrongType};
use crate::v0::wire::schemas;

const BODY_BYTES: usize = 64 * 1024;
/// Beyond it a number is not the same for every reader of JSON.
const MAX: u64 = (1 << 53) - 1;

/// How much of what is over is kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "jobHistoryCompactionEnabled": true, "jobHistoryToKeep": 1_000_000,
    "jobHistoryMaxAge": "720h", "scanningDeadline": 0,
}))]
pub(in crate::v0) struct Settings {
    /// Whether jobs that are over are removed at all, with their logs.
    job_history_compaction_enabled: bool,
    /// So many of them stay; 0 is no limit.
    job_history_to_keep: u64,
    /// They stay for so long after their end, like `720h`; empty is no limit.
    #[schema(value_type = schemas::Duration)]
    job_history_max_age: GoDuration,
    /// Kept for clients of the reference; nothing follows from it.
    scanning_deadline: u64,
}

/// Settings to be changed; what is not given, or `null`, stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "jobHistoryCompactionEnabled": true, "jobHistoryToKeep": 100_000,
    "jobHistoryMaxAge": "1440h", "scanningDeadline": 0,
}))]
pub(in crate::v0) struct Changes {
    /// Whether jobs that are over are removed at all, with their logs.
    job_history_compaction_enabled: Option<bool>,
    /// So many of them stay; 0 is no limit.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    job_history_to_keep: Option<u64>,
    /// They stay for so long after their end, up to `8760h`; empty is no limit.
    #[schema(value_type = Option<schemas::Duration>)]
    job_history_max_age: Option<GoDuration>,
    /// Kept for clients of the reference; nothing follows from it.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    scanning_deadline: Option<u64>,
}

/// Shows the settings.
#[utoipa::path(
    get, path = "/meta/settings", operation_id = "GetSettings", tag = "meta",
    responses((status = 200, body = Settings, description = "the settings"), BadQuery, StoreUnavailable),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<Settings>, Refusal> {
    let reading = async { Ok::<_, Refusal>(app.store.settings().await?) };
    Ok(Json(in_time(reading).await?.into()))
}

/// Changes some of the settings.
#[utoipa::path(
    post, path = "/meta/settings", operation_id = "UpdateSettings", tag = "meta",
    request_body(content = Changes, description = "at most 64 KiB"),
    responses(
        (status = 202, body = Settings, description = "all of them, as they are now"),
        BadQuery, BadBody, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn change(
    State(app): State<Arc<App>>,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Settings>), Refusal> {
    let changes: Changes = body::read(request, BODY_BYTES).await?;
    changes.validate()?;
    let changing = async {
        app.store.change_settings(&changes.into()).await?;
        let changed = app.store.settings().await?;
        Ok::<_, Refusal>(changed)
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(changing).await?.into())))
}

impl Changes {
    fn validate(&self) -> Result<(), Error> {
        let numbers = [
            ("jobHistoryToKeep", self.job_history_to_keep),
            ("scanningDeadline", self.scanning_deadline),
        ];
        for (field, number) in numbers {
            if number.is_some_and(|number| number > MAX) {
                return Err(Error::invalid(field, format!("it must not be more than {MAX}")));
            }
        }
        Ok(())
    }
}

impl From<Changes> for store::SettingsChanges {
    fn from(changes: Changes) -> store::SettingsChanges {
        store::SettingsChanges {
            job_history_compaction_enabled: changes.job_history_compaction_enabled,
            job_history_to_keep: changes.job_history_to_keep,
            job_history_max_age: changes.job_history_max_age,
            scanning_deadline: changes.scanning_deadline,
        }
    }
}

impl From<store::Settings> for Settings {
    fn from(settings: store::Settings) -> Settings {
        Settings {
            job_history_compaction_enabled: settings.job_history_compaction_enabled,
            job_history_to_keep: settings.job_history_to_keep,
            job_history_max_age: settings.job_history_max_age,
            scanning_deadline: settings.scanning_deadline,
        }
    }
}
