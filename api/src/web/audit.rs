//! `/audit`: who changed what, and what was refused. The URL is the filter.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::JobId;
use domain::search::SearchTime;
use store::{AuditFilter, AuditRecord};

use super::format::{Moment, number, shell_quoted};
use super::layout::{Layout, Section, html};
use super::paging::Paging;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::http_error;
use crate::query::Query;

/// The default and the largest number of entries in a page.
const LIMITS: (u32, u32) = (50, 200);

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    layout: Layout,
    form: Form,
    error: Option<String>,
    entries: Vec<Entry>,
    paging: Paging,
    command: String,
}

/// The filter as it was written.
#[derive(Default)]
struct Form {
    who: String,
    since: String,
    refused: String,
}

/// An entry as the page shows it.
struct Entry {
    id: String,
    at: Moment,
    who: String,
    role: String,
    from: String,
    request: String,
    status: u16,
    is_refused: bool,
    /// What was changed, and its job if it is one.
    subject: String,
    job: Option<JobId>,
}

impl Entry {
    fn new(AuditRecord { id, at, change }: AuditRecord, layout: &Layout) -> Entry {
        let query = if change.query.is_empty() { "" } else { "?" };
        let in_path = change.path.split('/').find_map(|part| part.parse().ok());
        Entry {
            id,
            at: Moment::new(at, layout.now),
            job: change.subject.parse().ok().or(in_path),
            request: format!("{} {}{query}{}", change.method, change.path, change.query),
            is_refused: change.status >= 400,
            who: change.who,
            role: change.role,
            from: change.from,
            status: change.status,
            subject: change.subject,
        }
    }
}

/// Lists the entries. An invalid filter is shown with its error, so that it can be corrected.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit", "who", "since", "refused"])?;
    let text = |name: &str| query.text(name).unwrap_or_default().to_owned();
    let form = Form { who: text("who"), since: text("since"), refused: text("refused") };
    let live = raw.map_or("/audit".to_owned(), |raw| format!("/audit?{raw}"));
    let layout = Layout::new(&app, caller, Section::Audit, "Audit", live).await?;
    let filter = filter(&query, &layout);
    let (status, error, (entries, paging)) = match filter {
        Ok(filter) => (StatusCode::OK, None, read(&app, &layout, &query, &filter).await?),
        Err(error) => {
            let paging = Paging { range: String::new(), next: None };
            (http_error::status(&error), Some(error.to_string()), (Vec::new(), paging))
        }
    };
    let command = command(&form);
    Ok(html(status, &AuditPage { layout, form, error, entries, paging, command }))
}

fn filter(query: &Query, layout: &Layout) -> Result<AuditFilter, Error> {
    let since: Option<SearchTime> = query.value("since")?;
    Ok(AuditFilter {
        who: query.text("who").map(str::to_owned),
        since: since.map(|time| time.resolve(layout.now)),
        refused: query.switch("refused")?,
    })
}

async fn read(
    app: &App,
    layout: &Layout,
    query: &Query,
    filter: &AuditFilter,
) -> Result<(Vec<Entry>, Paging), Error> {
    let (start, limit) = query.page(LIMITS.0, LIMITS.1)?;
    let (found, total) = app.store.audit_records(filter, start, limit).await?;
    let end = start + found.len();
    let paging = Paging {
        range: format!("{} of {}", number(found.len() as u64), entries(total)),
        next: (end < total && !found.is_empty()).then(|| {
            let mut next = form_urlencoded::Serializer::new(String::new());
            for name in ["who", "since", "refused"] {
                if let Some(value) = query.text(name) {
                    next.append_pair(name, value);
                }
            }
            next.append_pair("start", &end.to_string()).append_pair("limit", &limit.to_string());
            format!("/audit?{}", next.finish())
        }),
    };
    Ok((found.into_iter().map(|one| Entry::new(one, layout)).collect(), paging))
}

fn entries(total: usize) -> String {
    match total {
        1 => "1 entry".to_owned(),
        _ => format!("{} entries", number(total as u64)),
    }
}

/// Returns the command that lists the same.
fn command(form: &Form) -> String {
    let mut command = "capstan audit".to_owned();
    let flags = [("--who", &form.who), ("--since", &form.since)];
    for (flag, value) in flags.into_iter().filter(|(_, value)| !value.is_empty()) {
        command += &format!(" {flag} {}", shell_quoted(value));
    }
    command
}
