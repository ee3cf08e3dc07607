//! The header `Link` of a list, with the URLs of the next and the last page.

use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};

use super::filter::JobQuery;

/// Returns the URL of the request without its query. If the request names no host, the URL is only
/// a path.
pub(super) fn base(uri: &Uri, headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:-_[]".contains(c);
    let host = text(HOST.as_str()).or(uri.authority().map(|authority| authority.as_str()));
    let host = host.filter(|host| !host.is_empty() && host.chars().all(plain));
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    let path = "/api/v1.0/jobs";
    host.map_or_else(|| path.to_owned(), |host| format!("{scheme}://{host}{path}"))
}

/// Returns the value of the header; `None` on the last page.
pub(super) fn link(base: &str, query: &JobQuery, total: u64) -> Option<String> {
    let last = total.div_ceil(query.per_page);
    if query.page >= last {
        return None;
    }
    let to = |page: u64, relation: &str| {
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &query.parameters {
            match name.as_str() {
                "page" => encoded.append_pair("page", &page.to_string()),
                // A token in a link would end up in logs and browser histories.
                "jwt" => continue,
                _ => encoded.append_pair(name, value),
            };
        }
        if !query.parameters.iter().any(|(name, _)| name == "page") {
            encoded.append_pair("page", &page.to_string());
        }
        format!("<{base}?{}>; rel=\"{relation}\"", encoded.finish())
    };
    Some(format!("{},{}", to(query.page + 1, "next"), to(last, "last")))
}

#[cfg(test)]
mod tests {
    use super::super::filter::parse_query;
    use super::*;

    #[test]
    fn a_link_repeats_the_query_without_the_token() {
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
    fn the_base_has_the_host_and_scheme_of_the_client() {
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
