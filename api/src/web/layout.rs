//! What all pages share: the frame around the content, and the headers of an answer.

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::job::Timestamp;

use super::assets::{ASSETS, Assets};
use crate::app::App;
use crate::auth::Caller;
use crate::auth::listed;
use crate::error::Error;

/// Allows only files of this server, no inline code and no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

/// `same-origin` instead of `no-referrer`, because browsers then send `Origin: null` with forms.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// A page of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// `/`
    Overview,
    /// `/jobs`
    Jobs,
    /// `/waiting`
    Waiting,
    /// `/failures`
    Failures,
    /// `/workers`
    Workers,
    /// `/queues`
    Queues,
    /// `/crons`
    Crons,
    /// `/locks`
    Locks,
    /// `/subscriptions`
    Subscriptions,
    /// `/audit`
    Audit,
    /// `/settings`
    Settings,
    /// `/bulk`
    Bulk,
    /// `/find`
    Find,
}

impl Section {
    /// The sections at the top of every page, in their order.
    const ALL: [Section; 8] = [
        Section::Overview,
        Section::Jobs,
        Section::Waiting,
        Section::Failures,
        Section::Workers,
        Section::Queues,
        Section::Crons,
        Section::Locks,
    ];

    /// The sections at the bottom of every page.
    const MORE: [Section; 4] =
        [Section::Bulk, Section::Subscriptions, Section::Audit, Section::Settings];

    /// Returns the name and the path.
    fn link(self) -> (&'static str, &'static str) {
        match self {
            Section::Overview => ("Overview", "/"),
            Section::Jobs => ("Jobs", "/jobs"),
            Section::Waiting => ("Waiting", "/waiting"),
            Section::Failures => ("Failures", "/failures"),
            Section::Workers => ("Workers", "/workers"),
            Section::Queues => ("Queues", "/queues"),
            Section::Crons => ("Crons", "/crons"),
            Section::Locks => ("Locks", "/locks"),
            Section::Subscriptions => ("Subscriptions", "/subscriptions"),
            Section::Audit => ("Audit", "/audit"),
            Section::Settings => ("Settings", "/settings"),
            Section::Bulk => ("Bulk operations", "/bulk"),
            Section::Find => ("Find", "/find"),
        }
    }
}

/// The frame of a page.
pub(super) struct Layout {
    /// The title of the window.
    pub(super) title: String,
    /// The section that the page belongs to.
    pub(super) section: Option<Section>,
    /// The namespace of the fleet.
    pub(super) namespace: String,
    /// Who looks at the page.
    pub(super) caller: Caller,
    /// The path from which a newer version of the page is requested, if it changes by itself.
    pub(super) live: Option<String>,
    /// The time of the store.
    pub(super) now: Timestamp,
    /// The message after an action.
    pub(super) notice: Option<&'static str>,
}

impl Layout {
    /// Returns the frame of a page that is requested again every few seconds from `live`.
    pub(super) async fn new(
        app: &App,
        caller: Caller,
        section: Section,
        title: impl Into<String>,
        live: impl Into<String>,
    ) -> Result<Layout, Error> {
        Ok(Layout {
            title: title.into(),
            section: Some(section),
            namespace: app.namespace.clone(),
            caller,
            live: Some(live.into()),
            now: app.store.now().await?,
            notice: None,
        })
    }

    /// Returns the frame of a page that does not change by itself.
    pub(super) async fn still(
        app: &App,
        caller: Caller,
        section: Section,
        title: impl Into<String>,
    ) -> Result<Layout, Error> {
        let layout = Layout::new(app, caller, section, title, "").await?;
        Ok(Layout { live: None, ..layout })
    }

    /// Returns the frame of a page without a caller, such as an error.
    pub(super) fn bare(title: impl Into<String>) -> Layout {
        Layout {
            title: title.into(),
            section: None,
            namespace: String::new(),
            caller: Caller::default(),
            live: None,
            now: Timestamp::from_ms(0),
            notice: None,
        }
    }

    /// Returns true if the caller may send a form to this route.
    pub(super) fn may(&self, route: &str) -> bool {
        listed("POST", route).is_some_and(|access| self.caller.may(access))
    }

    /// Returns the files that a page loads.
    pub(super) fn assets(&self) -> &'static Assets {
        &ASSETS
    }

    /// Returns the name and the path of each section, and whether the page belongs to it.
    pub(super) fn links(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        Section::ALL.into_iter().map(|section| self.link(section))
    }

    /// Returns the same for the sections at the bottom that the caller may see.
    pub(super) fn more_links(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let sections = Section::MORE.into_iter().filter(|_| self.section.is_some());
        let may_see = |section: &Section| {
            listed("GET", section.link().1).is_some_and(|access| self.caller.may(access))
        };
        sections.filter(may_see).map(|section| self.link(section))
    }

    fn link(&self, section: Section) -> (&'static str, &'static str, bool) {
        let (name, path) = section.link();
        (name, path, self.section == Some(section))
    }
}

/// Returns the answer with a page.
pub(super) fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, HEADERS, text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot render a page");
            (StatusCode::INTERNAL_SERVER_ERROR, HEADERS, "internal error; see the service log")
                .into_response()
        }
    }
}
