//! A client of chromedriver: the few commands of WebDriver that the tests need.

use std::path::PathBuf;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::env::TIMEOUT;

/// A running browser. It ends with this value.
pub(super) struct Browser {
    session: String,
    client: Client,
    _driver: Child,
}

impl Browser {
    /// Starts chromedriver and a browser without a window.
    pub(super) async fn start() -> Browser {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped()).kill_on_drop(true);
        let mut driver = command.spawn().expect("Debian's chromium-driver is installed");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("chromedriver says its port");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let client = Client::builder().timeout(TIMEOUT).build().unwrap();
        let options = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": ["--headless=new", "--no-sandbox", "--disable-gpu"]},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let url = format!("http://127.0.0.1:{port}/session");
        let answer = call(&client, Method::POST, &url, &options).await;
        let id = answer["sessionId"].as_str().unwrap();
        Browser { session: format!("{url}/{id}"), client, _driver: driver }
    }

    /// Ends the browser.
    pub(super) async fn stop(self) {
        call(&self.client, Method::DELETE, &self.session, &json!({})).await;
    }

    /// Opens a page.
    pub(super) async fn open(&self, url: &str) {
        self.post("url", json!({"url": url})).await;
    }

    /// Returns the value of an expression on the page.
    pub(super) async fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression}")).await
    }

    /// Sets the size of the window and the colours that the system prefers.
    pub(super) async fn set_look(&self, look: &str) {
        let (width, height) = if look == "narrow" { (360, 780) } else { (1280, 900) };
        let scheme = if look == "dark" { "dark" } else { "light" };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let colours = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", colours).await;
    }

    /// Switches JavaScript off.
    pub(super) async fn switch_scripts_off(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    }

    /// Keeps a picture of the whole page.
    pub(super) async fn picture(&self, name: &str) {
        self.capture(name, json!({"captureBeyondViewport": true})).await;
    }

    /// Keeps a smaller picture of the top of the page, for the documentation.
    pub(super) async fn small_picture(&self, name: &str) {
        let height = self.value("Math.min(document.documentElement.offsetHeight, 900)").await;
        let clip = json!({"x": 0, "y": 0, "width": 1265, "height": height, "scale": 0.75});
        self.capture(name, json!({"captureBeyondViewport": true, "clip": clip})).await;
    }

    /// Does nothing unless pictures are wanted, because they take longer than all that is tested.
    async fn capture(&self, name: &str, options: Value) {
        if std::env::var_os("PICTURES").is_none() {
            return;
        }
        let picture = self.devtools("Page.captureScreenshot", options).await;
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/web-pages");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// Clicks the first element that matches.
    pub(super) async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/click"), json!({})).await;
    }

    /// Presses a key, with another one held down if the text has two characters.
    pub(super) async fn press(&self, keys: &str) {
        let key = |kind: &str, value: char| json!({"type": kind, "value": value});
        let down = keys.chars().map(|one| key("keyDown", one));
        let up = keys.chars().rev().map(|one| key("keyUp", one));
        let steps: Vec<Value> = down.chain(up).collect();
        let board = json!({"type": "key", "id": "keys", "actions": steps});
        self.post("actions", json!({"actions": [board]})).await;
    }

    /// Types a text into the first element that matches.
    pub(super) async fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/value"), json!({"text": text})).await;
    }

    /// Runs a script on the page and returns its result, or that of its promise.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({"script": script, "args": []})).await
    }

    /// Ends the session of the web page.
    pub(super) async fn forget_session(&self) {
        call(&self.client, Method::DELETE, &format!("{}/cookie", self.session), &json!({})).await;
    }

    /// Moves the pointer over the first element that matches.
    pub(super) async fn point_at(&self, selector: &str) {
        let element = self.element(selector).await;
        let origin = json!({"element-6066-11e4-a52e-4f735466cecf": element});
        let step = json!({"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": origin});
        let mouse = json!({"type": "pointer", "id": "mouse", "actions": [step]});
        self.post("actions", json!({"actions": [mouse]})).await;
    }

    /// Returns the warnings and errors of the console since the last call, such as what the content
    /// security policy blocks.
    pub(super) async fn messages(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({"type": "browser"})).await;
        let all = entries.as_array().unwrap().iter();
        let severe = all.filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        severe.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    async fn element(&self, selector: &str) -> String {
        let query = json!({"using": "css selector", "value": selector});
        let found = self.post("element", query).await;
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        call(&self.client, Method::POST, &format!("{}/{path}", self.session), &body).await
    }
}

async fn call(client: &Client, method: Method, url: &str, body: &Value) -> Value {
    let answer = client.request(method, url).json(body).send().await.unwrap();
    let mut answer: Value = answer.json().await.unwrap();
    assert!(answer["value"]["error"].is_null(), "{url} {body}: {answer}");
    answer["value"].take()
}
