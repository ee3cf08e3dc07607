//! The web page over HTTP: its headers, log-in, roles, forms and hostile values.

mod actions;
mod browser;
mod bulk;
mod hostile;
mod live;
mod login;
mod more_pages;
mod pages;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};

use crate::env::{Answer, TIMEOUT, TestEnv, send};

/// A browser: it keeps a session and says that the page itself sends its forms.
pub(crate) struct Visitor<'a> {
    env: &'a TestEnv,
    client: Client,
    cookie: Option<String>,
}

impl<'a> Visitor<'a> {
    /// Returns a browser without a session.
    pub(crate) fn new(env: &'a TestEnv) -> Visitor<'a> {
        let client = Client::builder().timeout(TIMEOUT).redirect(Policy::none());
        Visitor { env, client: client.build().unwrap(), cookie: None }
    }

    /// Returns a browser that has logged in.
    pub(crate) async fn logged_in(env: &'a TestEnv, token: &str) -> Visitor<'a> {
        let mut visitor = Visitor::new(env);
        let answer = visitor.submit("/login", &format!("token={token}&next=/jobs")).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/jobs")), "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        visitor.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        visitor
    }

    /// Opens a page.
    pub(crate) async fn open(&self, path: &str) -> Answer {
        send(self.with_cookie(self.client.get(format!("{}{path}", self.env.url)))).await
    }

    /// Opens a stream of a page.
    pub(crate) async fn follow(&self, query: &str) -> Response {
        let url = format!("{}/live?{query}", self.env.url);
        self.with_cookie(self.client.get(url)).send().await.unwrap()
    }

    /// Sends a form as the page itself does.
    pub(crate) async fn submit(&self, path: &str, body: &str) -> Answer {
        send(self.form(path, body).header("sec-fetch-site", "same-origin")).await
    }

    /// Returns the request of a form, without what the browser says about its sender.
    pub(crate) fn form(&self, path: &str, body: &str) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.env.url));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.with_cookie(request.body(body.to_owned()))
    }

    fn with_cookie(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }
}
