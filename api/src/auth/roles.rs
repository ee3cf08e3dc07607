//! The one table of who may do what, by method and path. A route that is not in it is a viewer's to
//! read and an admin's to change, and a test fails until it is.

use axum::http::Method;
use shared::tokens::Role;
use utoipa::IntoResponses;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};

use crate::v0::{NoToken, WrongRole};

/// What a route asks of those who use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Need {
    /// Nothing: whoever can reach it may.
    Nothing,
    /// A token with this role, or one that may more.
    Role(Role),
}

const OPEN: Need = Need::Nothing;
const VIEWER: Need = Need::Role(Role::Viewer);
const OPERATOR: Need = Need::Role(Role::Operator);
const ADMIN: Need = Need::Role(Role::Admin);

const NO_SCOPES: [&str; 0] = [];

/// Parameters are written `{}`, whatever their routes call them.
#[rustfmt::skip]
const TABLE: &[(&str, &str, Need)] = &[
    ("GET",    "/docs",                            OPEN),
    ("GET",    "/api/v0/docs.json",                OPEN),

    ("GET",    "/api/v0/jobs",                     VIEWER),
    ("POST",   "/api/v0/jobs",                     OPERATOR),
    ("POST",   "/api/v0/jobs/batch",               OPERATOR),
    ("POST",   "/api/v0/jobs/cancel",              OPERATOR),
    ("GET",    "/api/v0/jobs/{}",                  VIEWER),
    ("DELETE", "/api/v0/jobs/{}",                  OPERATOR),
    ("PATCH",  "/api/v0/jobs/{}",                  OPERATOR),
    ("POST",   "/api/v0/jobs/{}/cancel",           OPERATOR),
    ("POST",   "/api/v0/jobs/{}/retry",            OPERATOR),
    ("GET",    "/api/v0/jobs/{}/logs",             VIEWER),

    ("GET",    "/api/v0/workers",                  VIEWER),
    ("GET",    "/api/v0/workers/{}",               VIEWER),
    ("POST",   "/api/v0/workers/{}/capacity",      ADMIN),
    ("POST",   "/api/v0/workers/{}/drain",         OPERATOR),
    ("POST",   "/api/v0/workers/{}/resume",        OPERATOR),

    ("GET",    "/api/v0/crons",                    VIEWER),
    ("POST",   "/api/v0/crons",                    ADMIN),
    ("GET",    "/api/v0/crons/{}",                 VIEWER),
    ("DELETE", "/api/v0/crons/{}",                 ADMIN),
    ("GET",    "/api/v0/crons/{}/next",            VIEWER),
    ("POST",   "/api/v0/crons/{}/run",             OPERATOR),
    ("POST",   "/api/v0/crons/{}/pause",           ADMIN),
    ("POST",   "/api/v0/crons/{}/resume",          ADMIN),

    ("GET",    "/api/v0/locks",                    VIEWER),
    ("POST",   "/api/v0/locks",                    ADMIN),
    ("GET",    "/api/v0/locks/{}",                 VIEWER),
    ("DELETE", "/api/v0/locks/{}",                 OPERATOR),
    ("GET",    "/api/v0/queues",                   VIEWER),
    ("POST",   "/api/v0/queues/{}/pause",          OPERATOR),
    ("POST",   "/api/v0/queues/{}/resume",         OPERATOR),
    ("POST",   "/api/v0/actions/{}/pause",         OPERATOR),
    ("POST",   "/api/v0/actions/{}/resume",        OPERATOR),
    ("GET",    "/api/v0/action_configs",           VIEWER),
    ("POST",   "/api/v0/action_configs",           ADMIN),
    ("GET",    "/api/v0/action_configs/{}",        VIEWER),
    ("DELETE", "/api/v0/action_configs/{}",        ADMIN),
    ("GET",    "/api/v0/subscriptions",            ADMIN),
    ("POST",   "/api/v0/subscriptions",            ADMIN),
    ("GET",    "/api/v0/subscriptions/{}",         ADMIN),
    ("DELETE", "/api/v0/subscriptions/{}",         ADMIN),
    ("POST",   "/api/v0/subscriptions/{}/pause",   ADMIN),
    ("POST",   "/api/v0/subscriptions/{}/resume",  ADMIN),
    ("POST",   "/api/v0/subscriptions/{}/test",    OPERATOR),
    ("GET",    "/api/v0/events",                   VIEWER),
    ("GET",    "/api/v0/meta/settings",            VIEWER),
    ("POST",   "/api/v0/meta/settings",            ADMIN),
    ("GET",    "/api/v0/audit",                    ADMIN),

    ("GET",    "/api/v1.0/jobs",                   VIEWER),
    ("GET",    "/api/v1.0/job/{}",                 VIEWER),
    ("PUT",    "/api/v1.0/job/{}",                 OPERATOR),
    ("GET",    "/api/v1.0/joblocks",               VIEWER),
    ("DELETE", "/api/v1.0/joblocks",               OPERATOR),
];

/// What a route asks for; `template` is none where nothing is served, which only those learn who
/// may read.
pub(super) fn need(method: &Method, template: Option<&str>) -> Need {
    let Some(template) = template else { return VIEWER };
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let otherwise = if reads { VIEWER } else { ADMIN };
    listed(if reads { "GET" } else { method.as_str() }, template).unwrap_or(otherwise)
}

fn listed(method: &str, template: &str) -> Option<Need> {
    let plain = without_names(template);
    let found = TABLE.iter().find(|(known, path, _)| *known == method && *path == plain);
    found.map(|(_, _, need)| *need)
}

/// `/jobs/{id}/logs` is `/jobs/{}/logs`.
fn without_names(template: &str) -> String {
    let segment = |segment: &str| if segment.starts_with('{') { "{}" } else { segment }.to_owned();
    template.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Says in the document of each route who may use it, and what others are answered.
pub(crate) fn describe(document: &mut OpenApi) {
    let components = document.components.get_or_insert_with(Components::new);
    for (name, scheme) in [("token", HttpAuthScheme::Bearer), ("password", HttpAuthScheme::Basic)] {
        components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
    }
    for (method, path, operation) in operations(document) {
        let Need::Role(role) = need(&method, Some(&path)) else { continue };
        let either = ["token", "password"].map(|name| SecurityRequirement::new(name, NO_SCOPES));
        operation.security = Some(either.into());
        let said = ExtensionsBuilder::new().add("x-role", role.as_str()).build();
        operation.extensions.get_or_insert_default().merge(said);
        operation.responses.responses.extend(NoToken::responses());
        if role > Role::Viewer {
            operation.responses.responses.extend(WrongRole::responses());
        }
    }
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = (Method, String, &mut Operation)> {
    document.paths.paths.iter_mut().flat_map(|(path, item)| {
        let all = [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::PATCH, &mut item.patch),
            (Method::DELETE, &mut item.delete),
        ];
        let path = path.clone();
        all.into_iter().filter_map(move |(method, operation)| {
            operation.as_mut().map(|operation| (method, path.clone(), operation))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_of_the_document_has_a_role_in_the_table() {
        let (_, mut document) = crate::v0::routes().split_for_parts();
        let all: Vec<_> =
            operations(&mut document).map(|(method, path, _)| (method, path)).collect();
        assert!(all.len() > 20);
        for (method, path) in all {
            let found = listed(method.as_str(), &path);
            assert!(found.is_some(), "say in the table of roles who may {method} {path}");
            assert!(found != Some(OPEN) || path.contains("docs"), "{method} {path} is open");
            assert!(method == Method::GET || found > Some(VIEWER), "a viewer may {method} {path}");
        }
    }

    #[test]
    fn a_route_that_is_not_in_the_table_is_a_viewers_to_read_and_an_admins_to_change() {
        let cases = [
            (Method::GET, Some("/api/v0/secrets"), VIEWER),
            (Method::POST, Some("/api/v0/secrets"), ADMIN),
            (Method::PUT, Some("/api/v0/jobs"), ADMIN),
            (Method::HEAD, Some("/api/v0/jobs"), VIEWER),
            (Method::HEAD, Some("/api/v0/docs.json"), OPEN),
            (Method::OPTIONS, Some("/api/v0/docs.json"), OPEN),
            (Method::DELETE, Some("/api/v0/jobs/{anything}"), OPERATOR),
            (Method::DELETE, None, VIEWER),
            (Method::GET, None, VIEWER),
        ];
        for (method, path, expected) in cases {
            assert_eq!(need(&method, path), expected, "{method} {path:?}");
        }
    }

    #[test]
    fn no_route_is_in_the_table_twice() {
        let all: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| (method, path)).collect();
        assert_eq!(all.len(), TABLE.len());
    }
}
