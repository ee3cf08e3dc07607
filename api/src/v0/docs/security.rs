//! The access that each route requires, in the OpenAPI document.

use axum::http::Method;
use domain::access_tokens::Role;
use utoipa::IntoResponses;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};

use crate::auth::{Access, required_access};
use crate::v0::wire::responses::{NoToken, WrongRole};

const NO_SCOPES: [&str; 0] = [];

/// Adds to each operation the role that it requires, and the responses to requests without it.
pub(in crate::v0) fn describe(document: &mut OpenApi) {
    let components = document.components.get_or_insert_with(Components::new);
    for (name, scheme) in [("token", HttpAuthScheme::Bearer), ("password", HttpAuthScheme::Basic)] {
        components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
    }
    for (method, path, operation) in operations(document) {
        let Access::Role(role) = required_access(&method, Some(&path)) else { continue };
        let either = ["token", "password"].map(|name| SecurityRequirement::new(name, NO_SCOPES));
        operation.security = Some(either.into());
        let extensions = ExtensionsBuilder::new().add("x-role", role.as_str()).build();
        operation.extensions.get_or_insert_default().merge(extensions);
        for (status, response) in NoToken::responses() {
            operation.responses.responses.entry(status).or_insert(response);
        }
        if role > Role::Viewer {
            operation.responses.responses.extend(WrongRole::responses());
        }
    }
}

/// Returns the operations of the document with their methods and paths.
pub(in crate::v0) fn operations(
    document: &mut OpenApi,
) -> impl Iterator<Item = (Method, String, &mut Operation)> {
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
