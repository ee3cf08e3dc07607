//! The settings of the namespace. Their names are those of DTR, of which only the settings that
//! concern jobs are supported.

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
/// Some JSON parsers round larger numbers.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The settings of the namespace: how long finished jobs are kept, and how much may wait.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "jobHistoryCompactionEnabled": true, "jobHistoryToKeep": 1_000_000,
    "jobHistoryMaxAge": "720h", "scanningDeadline": 0, "maxWaitingJobs": 1_000_000,
    "maxWaitingBytes": 1_073_741_824,
}))]
pub(in crate::v0) struct Settings {
    /// Whether finished jobs and their logs are removed.
    job_history_compaction_enabled: bool,
    /// The number of finished jobs to keep. 0 means no limit.
    job_history_to_keep: u64,
    /// How long a job is kept after it has finished, like `720h`. Empty means no limit.
    #[schema(value_type = schemas::Duration)]
    job_history_max_age: GoDuration,
    /// Stored for clients of DTR. Has no effect.
    scanning_deadline: u64,
    /// The number of waiting jobs that one submitter may have. 0 means no limit.
    max_waiting_jobs: u64,
    /// The number of bytes that their specifications may have together. 0 means no limit.
    max_waiting_bytes: u64,
}

/// Settings to change. Fields that are absent or `null` keep their value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "jobHistoryCompactionEnabled": true, "jobHistoryToKeep": 100_000,
    "jobHistoryMaxAge": "1440h", "scanningDeadline": 0, "maxWaitingJobs": 250_000,
    "maxWaitingBytes": 268_435_456,
}))]
pub(in crate::v0) struct SettingsUpdate {
    /// Whether finished jobs and their logs are removed.
    job_history_compaction_enabled: Option<bool>,
    /// The number of finished jobs to keep. 0 means no limit.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    job_history_to_keep: Option<u64>,
    /// How long a job is kept after it has finished, up to `8760h`. Empty means no limit.
    #[schema(value_type = Option<schemas::Duration>)]
    job_history_max_age: Option<GoDuration>,
    /// Stored for clients of DTR. Has no effect.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    scanning_deadline: Option<u64>,
    /// The number of waiting jobs that one submitter may have. 0 means no limit.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    max_waiting_jobs: Option<u64>,
    /// The number of bytes that their specifications may have together. 0 means no limit.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    max_waiting_bytes: Option<u64>,
}

/// Returns the settings.
#[utoipa::path(
    get, path = "/meta/settings", operation_id = "GetSettings", tag = "meta",
    responses(
        (status = 200, body = Settings, description = "The settings."), BadQuery, StoreUnavailable,
    ),
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
    request_body(content = SettingsUpdate, description = "At most 64 KiB."),
    responses(
        (status = 202, body = Settings, description = "All settings."),
        BadQuery, BadBody, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn change(
    State(app): State<Arc<App>>,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Settings>), Refusal> {
    let changes: SettingsUpdate = body::read(request, BODY_BYTES).await?;
    changes.validate()?;
    let changing = async {
        app.store.change_settings(&changes.into()).await?;
        let changed = app.store.settings().await?;
        Ok::<_, Refusal>(changed)
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(changing).await?.into())))
}

impl SettingsUpdate {
    fn validate(&self) -> Result<(), Error> {
        let numbers = [
            ("jobHistoryToKeep", self.job_history_to_keep),
            ("scanningDeadline", self.scanning_deadline),
            ("maxWaitingJobs", self.max_waiting_jobs),
            ("maxWaitingBytes", self.max_waiting_bytes),
        ];
        for (field, number) in numbers {
            if number.is_some_and(|number| number > MAX_NUMBER) {
                let why = format!("it must be a whole number from 0 to {MAX_NUMBER}");
                return Err(Error::invalid(field, why));
            }
        }
        Ok(())
    }
}

impl From<SettingsUpdate> for store::SettingsChanges {
    fn from(changes: SettingsUpdate) -> store::SettingsChanges {
        store::SettingsChanges {
            job_history_compaction_enabled: changes.job_history_compaction_enabled,
            job_history_to_keep: changes.job_history_to_keep,
            job_history_max_age: changes.job_history_max_age,
            scanning_deadline: changes.scanning_deadline,
            max_waiting_jobs: changes.max_waiting_jobs,
            max_waiting_bytes: changes.max_waiting_bytes,
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
            max_waiting_jobs: settings.max_waiting_jobs,
            max_waiting_bytes: settings.max_waiting_bytes,
        }
    }
}
