//! The one table of the role that each route requires, by method and path. A route that is missing
//! requires a viewer to read and an admin to change anything; a test fails until it is listed.

use axum::http::Method;
use domain::access_tokens::Role;

/// The access that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Access {
    /// None: the route is public.
    Public,
    /// A token with at least this role.
    Role(Role),
}

const PUBLIC: Access = Access::Public;
const VIEWER: Access = Access::Role(Role::Viewer);
const OPERATOR: Access = Access::Role(Role::Operator);
const ADMIN: Access = Access::Role(Role::Admin);

/// Path parameters are written `{}`, whatever their routes call them.
#[rustfmt::skip]
const TABLE: &[(&str, &str, Access)] = &[
    ("GET",    "/",                                VIEWER),
    ("GET",    "/jobs",                            VIEWER),
    ("GET",    "/jobs/{}",                         VIEWER),
    ("GET",    "/jobs/{}/log",                     VIEWER),
    ("POST",   "/jobs/{}/cancel",                  OPERATOR),
    ("POST",   "/jobs/{}/retry",                   OPERATOR),
    ("POST",   "/jobs/{}/delete",                  OPERATOR),
    ("POST",   "/jobs/{}/signals/{}",              OPERATOR),
    ("GET",    "/signals/{}",                      PUBLIC),
    ("POST",   "/signals/{}",                      PUBLIC),
    ("GET",    "/workers",                         VIEWER),
    ("GET",    "/workers/{}",                      VIEWER),
    ("POST",   "/workers/{}/drain",                OPERATOR),
    ("POST",   "/workers/{}/resume",               OPERATOR),
    ("POST",   "/workers/{}/capacity",             ADMIN),
    ("GET",    "/queues",                          VIEWER),
    ("POST",   "/queues/{}/pause",                 OPERATOR),
    ("POST",   "/queues/{}/resume",                OPERATOR),
    ("POST",   "/actions/{}/pause",                OPERATOR),
    ("POST",   "/actions/{}/resume",               OPERATOR),
    ("GET",    "/crons",                           VIEWER),
    ("GET",    "/crons/{}",                        VIEWER),
    ("POST",   "/crons/{}/run",                    OPERATOR),
    ("POST",   "/crons/{}/pause",                  ADMIN),
    ("POST",   "/crons/{}/resume",                 ADMIN),
    ("GET",    "/failures",                        VIEWER),
    ("GET",    "/locks",                           VIEWER),
    ("GET",    "/locks/{}",                        VIEWER),
    ("POST",   "/locks/{}/clear",                  OPERATOR),
    ("POST",   "/locks/{}/permits",                ADMIN),
    ("POST",   "/limits",                          ADMIN),
    ("POST",   "/limits/{}/delete",                ADMIN),
    ("GET",    "/jobs/{}/edit",                    OPERATOR),
    ("POST",   "/jobs/{}/change",                  OPERATOR),
    ("POST",   "/jobs/{}/repeat",                  OPERATOR),
    ("GET",    "/bulk",                            VIEWER),
    ("POST",   "/bulk",                            OPERATOR),
    ("GET",    "/bulk/{}",                         VIEWER),
    ("POST",   "/bulk/{}/stop",                    OPERATOR),
    ("GET",    "/bulk-editor",                     OPERATOR),
    ("GET",    "/ticked",                          OPERATOR),
    ("POST",   "/jobs/ticked",                     OPERATOR),
    ("POST",   "/crons",                           ADMIN),
    ("GET",    "/cron-editor",                     ADMIN),
    ("GET",    "/find",                            VIEWER),
    ("GET",    "/settings",                        VIEWER),
    ("GET",    "/audit",                           ADMIN),
    ("GET",    "/subscriptions",                   ADMIN),
    ("GET",    "/subscriptions/{}",                ADMIN),
    ("POST",   "/subscriptions/{}/pause",          ADMIN),
    ("POST",   "/subscriptions/{}/resume",         ADMIN),
    ("POST",   "/subscriptions/{}/test",           OPERATOR),
    ("GET",    "/live",                            VIEWER),
    ("GET",    "/waiting",                         VIEWER),
    ("GET",    "/login",                           PUBLIC),
    ("POST",   "/login",                           PUBLIC),
    ("POST",   "/logout",                          PUBLIC),
    ("GET",    "/assets/{}",                       PUBLIC),

    ("GET",    "/docs",                            PUBLIC),
    ("GET",    "/docs/docs.css",                   PUBLIC),
    ("GET",    "/docs/docs.js",                    PUBLIC),
    ("GET",    "/api/v0/docs.json",                PUBLIC),

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
    ("POST",   "/api/v0/jobs/{}/signals/{}",       OPERATOR),
    ("POST",   "/api/v0/jobs/{}/signals/{}/link",  OPERATOR),
    ("POST",   "/api/v0/signals/{}",               PUBLIC),

    ("GET",    "/api/v0/bulk",                     VIEWER),
    ("POST",   "/api/v0/bulk",                     OPERATOR),
    ("GET",    "/api/v0/bulk/{}",                  VIEWER),
    ("POST",   "/api/v0/bulk/{}/stop",             OPERATOR),

    ("GET",    "/api/v0/workers",                  VIEWER),
    ("GET",    "/api/v0/workers/{}",               VIEWER),
    ("POST",   "/api/v0/workers/{}/capacity",      ADMIN),
    ("PATCH",  "/api/v0/workers/{}/capacity",      ADMIN),
    ("POST",   "/api/v0/workers/{}/drain",         OPERATOR),
    ("POST",   "/api/v0/workers/{}/resume",        OPERATOR),

    ("GET",    "/api/v0/crons",                    VIEWER),
    ("POST",   "/api/v0/crons",                    ADMIN),
    ("GET",    "/api/v0/crons/{}",                 VIEWER),
    ("PATCH",  "/api/v0/crons/{}",                 ADMIN),
    ("DELETE", "/api/v0/crons/{}",                 ADMIN),
    ("GET",    "/api/v0/crons/{}/next",            VIEWER),
    ("POST",   "/api/v0/crons/{}/run",             OPERATOR),
    ("POST",   "/api/v0/crons/{}/pause",           ADMIN),
    ("POST",   "/api/v0/crons/{}/resume",          ADMIN),

    ("GET",    "/api/v0/locks",                    VIEWER),
    ("POST",   "/api/v0/locks",                    ADMIN),
    ("GET",    "/api/v0/locks/{}",                 VIEWER),
    ("DELETE", "/api/v0/locks/{}",                 OPERATOR),
    ("GET",    "/api/v0/limits",                   VIEWER),
    ("POST",   "/api/v0/limits",                   ADMIN),
    ("GET",    "/api/v0/limits/{}",                VIEWER),
    ("DELETE", "/api/v0/limits/{}",                ADMIN),
    ("GET",    "/api/v0/queues",                   VIEWER),
    ("DELETE", "/api/v0/queues/{}",                ADMIN),
    ("POST",   "/api/v0/queues/{}/pause",          OPERATOR),
    ("POST",   "/api/v0/queues/{}/resume",         OPERATOR),
    ("POST",   "/api/v0/actions/{}/pause",         OPERATOR),
    ("POST",   "/api/v0/actions/{}/resume",        OPERATOR),
    ("GET",    "/api/v0/action_configs",           VIEWER),
    ("POST",   "/api/v0/action_configs",           ADMIN),
    ("GET",    "/api/v0/action_configs/{}",        VIEWER),
    ("PATCH",  "/api/v0/action_configs/{}",        ADMIN),
    ("DELETE", "/api/v0/action_configs/{}",        ADMIN),
    ("GET",    "/api/v0/subscriptions",            ADMIN),
    ("POST",   "/api/v0/subscriptions",            ADMIN),
    ("GET",    "/api/v0/subscriptions/{}",         ADMIN),
    ("DELETE", "/api/v0/subscriptions/{}",         ADMIN),
    ("POST",   "/api/v0/subscriptions/{}/pause",   ADMIN),
    ("POST",   "/api/v0/subscriptions/{}/resume",  ADMIN),
    ("POST",   "/api/v0/subscriptions/{}/test",    OPERATOR),
    ("GET",    "/api/v0/events",                   VIEWER),
    ("GET",    "/api/v0/quotas",                   VIEWER),
    ("GET",    "/api/v0/scaling",                  VIEWER),
    ("GET",    "/api/v0/status",                   VIEWER),
    ("GET",    "/api/v0/verdict",                  VIEWER),
    ("GET",    "/api/v0/waiting",                  VIEWER),
    ("GET",    "/api/v0/jobs/{}/timeline",         VIEWER),
    ("GET",    "/api/v0/metrics/series",           VIEWER),
    ("GET",    "/api/v0/failures",                 VIEWER),
    ("GET",    "/api/v0/meta/settings",            VIEWER),
    ("POST",   "/api/v0/meta/settings",            ADMIN),
    ("GET",    "/api/v0/audit",                    ADMIN),

    ("GET",    "/api/v1.0/jobs",                   VIEWER),
    ("GET",    "/api/v1.0/job/{}",                 VIEWER),
    ("PUT",    "/api/v1.0/job/{}",                 OPERATOR),
    ("GET",    "/api/v1.0/joblocks",               VIEWER),
    ("DELETE", "/api/v1.0/joblocks",               OPERATOR),
];

/// Returns the access that a route requires. `template` is `None` for a path without a route: only
/// a viewer may learn that.
pub(crate) fn required_access(method: &Method, template: Option<&str>) -> Access {
    let Some(template) = template else { return VIEWER };
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let default = if reads { VIEWER } else { ADMIN };
    listed(if reads { "GET" } else { method.as_str() }, template).unwrap_or(default)
}

/// Returns the access of a route as the table lists it.
pub(crate) fn listed(method: &str, template: &str) -> Option<Access> {
    let path = without_names(template);
    let found = TABLE.iter().find(|(known, listed, _)| *known == method && *listed == path);
    found.map(|(_, _, access)| *access)
}

/// Turns `/jobs/{id}/logs` into `/jobs/{}/logs`.
fn without_names(template: &str) -> String {
    let segment = |segment: &str| if segment.starts_with('{') { "{}" } else { segment }.to_owned();
    template.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_unlisted_route_requires_a_viewer_to_read_and_an_admin_to_change() {
        let cases = [
            (Method::GET, Some("/api/v0/secrets"), VIEWER),
            (Method::POST, Some("/api/v0/secrets"), ADMIN),
            (Method::PUT, Some("/api/v0/jobs"), ADMIN),
            (Method::HEAD, Some("/api/v0/jobs"), VIEWER),
            (Method::HEAD, Some("/api/v0/docs.json"), PUBLIC),
            (Method::OPTIONS, Some("/api/v0/docs.json"), PUBLIC),
            (Method::DELETE, Some("/api/v0/jobs/{anything}"), OPERATOR),
            (Method::DELETE, None, VIEWER),
            (Method::GET, None, VIEWER),
        ];
        for (method, path, expected) in cases {
            assert_eq!(required_access(&method, path), expected, "{method} {path:?}");
        }
    }

    #[test]
    fn a_form_of_the_web_page_requires_the_role_of_its_command() {
        let forms = TABLE.iter().filter(|(method, path, access)| {
            *method == "POST" && !path.starts_with("/api/") && *access != PUBLIC
        });
        for (_, path, access) in forms {
            let (noun, verb) = path.rsplit_once('/').unwrap();
            let command = match verb {
                "change" => listed("PATCH", &format!("/api/v0{noun}")),
                "permits" => listed("POST", "/api/v0/locks"),
                "repeat" => listed("POST", "/api/v0/jobs"),
                "ticked" => listed("POST", "/api/v0/bulk"),
                "delete" | "clear" => listed("DELETE", &format!("/api/v0{noun}")),
                _ => listed("POST", &format!("/api/v0{path}")),
            };
            assert_eq!(command, Some(*access), "{path}");
        }
    }

    #[test]
    fn no_route_is_listed_twice() {
        let all: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| (method, path)).collect();
        assert_eq!(all.len(), TABLE.len());
    }
}
