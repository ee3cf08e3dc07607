//! The header `Link` of a list: where its next and its last page are.

use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};

use super::filter::JobQuery;

/// The address that was asked, without its query, as the client wrote it; without a host if it told
/// none.
pub(super) fn base(uri: &Uri, headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:-_[]".contains(c);
    let host = text(HOST.as_str()).or(uri.authority().map(|authority| authority.as_str()));
    let host = host.filter(|host| !host.is_empty() && host.chars().all(plain));
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    let path = "/api/v1.0/jobs";
    host.map_or_else(|| path.to_owned(), |host| format!("{scheme}://{host}{path}"))
}

/// The header; `None` on the last page, and when there is only one.
pub(super) fn link(base: &str, wanted: &JobQuery, total: u64) -> Option<String> {
    let last = total.div_ceil(wanted.per_page);
    if wanted.page >= last {
        return None;
    }
    let to = |page: u64, relation: &str| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &wanted.parameters {
            match name.as_str() {
                "page" => query.append_pair("page", &page.to_string()),
                // It would be in logs and histories from here on.
                "jwt" => continue,
                _ => query.append_pair(name, value),
            };
        }
        if !wanted.parameters.iter().any(|(name, _)| name == "page") {
            query.append_pair("page", &page.to_string());
        }
        format!("<{base}?{}>; rel=\"{relation}\"", query.finish())
    };
    Some(format!("{},{}", to(wanted.page + 1, "next"), to(last, "last")))
}

#[cfg(test)]
mod tests {
    use super::super::filter::parse_query;
    use super::*;

    #[test]
    fn it_leads_on_with_all_that_was_asked() {
        let cases = [
            ("", 50, None),
            ("", 0, None),
            ("page=3", 101, None),
            ("", 51, Some("<B?page=2>; rel=\"next\",<B?page=2>; rel=\"last\"")),
            (
                "filter[status]=finished&page=2&per_page=10&jwt=secret&x=a+b",
                41,
                Some(
                    "<B?filter%5Bstatus%5D=finished&page=3&per_page=10&x=a+b>; rel=\"next\",\
                     <B?filter%5Bstatus%5D=finished&page=5&per_page=10&x=a+b>; rel=\"last\"",
                ),
            ),
        ];
        for (query, total, expected) in cases {
            let found = link("B", &parse_query(Some(query)).unwrap(), total);
            assert_eq!(found.as_deref(), expected, "{query} of {total}");
        }
    }

    #[test]
    fn the_base_is_what_the_client_wrote() {
        let uri: Uri = "/api/v1.0/jobs?page=1".parse().unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(base(&uri, &headers), "/api/v1.0/jobs");
        headers.insert("host", "jobs.example:8080".parse().unwrap());
        assert_eq!(base(&uri, &headers), "http://jobs.example:8080/api/v1.0/jobs");
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert_eq!(base(&uri, &headers), "https://jobs.example:8080/api/v1.0/jobs");
        headers.insert("host", "a>;<b".parse().unwrap());
        assert_eq!(base(&uri, &headers), "/api/v1.0/jobs");
    }
}
