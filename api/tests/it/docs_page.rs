//! The OpenAPI document, as a file that shows changes in review, and as a page.

use expect_test::expect_file;

use crate::env::{send, with_env};

/// `UPDATE_EXPECT=1` updates the file.
#[tokio::test]
async fn the_document_equals_the_reviewed_file() {
    with_env(async |env| {
        let document = env.get("/docs.json").await.json();
        let text = serde_json::to_string_pretty(&document).unwrap();
        expect_file!["openapi.json"].assert_eq(&format!("{text}\n"));
    })
    .await;
}

#[tokio::test]
async fn the_page_loads_nothing_from_other_hosts() {
    with_env(async |env| {
        let files = [
            ("/docs", "text/html; charset=utf-8"),
            ("/docs/", "text/html; charset=utf-8"),
            ("/docs/docs.js", "text/javascript; charset=utf-8"),
            ("/docs/docs.css", "text/css; charset=utf-8"),
        ];
        for (path, kind) in files {
            let answer = send(env.client.get(format!("{}{path}", env.url))).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("content-type"), Some(kind), "{path}");
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            for elsewhere in ["http:", "https:", "=\"//", "url("] {
                assert!(!answer.text.contains(elsewhere), "{path} has {elsewhere}");
            }
            for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"] {
                assert!(!answer.text.contains(markup), "{path} has {markup}");
            }
        }
        // Every link on the page works.
        let page = send(env.client.get(format!("{}/docs", env.url))).await.text;
        let links = page.split(['"']).filter(|part| part.starts_with('/'));
        for link in links {
            let answer = send(env.client.get(format!("{}{link}", env.url))).await;
            assert_eq!(answer.status, 200, "{link}");
        }
    })
    .await;
}
