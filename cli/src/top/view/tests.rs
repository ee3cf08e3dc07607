//! The view, drawn into memory.

use super::*;
use expect_test::expect;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

const NOW: &str = "2026-11-20T16:55:00Z";

fn snapshot(workers: Value, waiting: Value, running: Value) -> Snapshot {
    let status = json!({
        "version": "0.1.0", "workers": {"live": 2, "draining": 1},
        "store": {"ok": true}, "broker": {"ok": false, "why": "no scheduler \u{1b}[2Jis running"},
        "jobs": {"waiting": 250, "running": 12, "done": 1803, "cancel": 2, "deleted": 0},
        "rates": {"started": 240, "ended": 236, "failed": 1, "periodMs": 60_000},
        "warnings": ["two versions of \u{202e}Capstan run"],
    });
    Snapshot {
        status: serde_json::from_value(status).unwrap(),
        workers: serde_json::from_value(workers).unwrap(),
        waiting: serde_json::from_value(waiting).unwrap(),
        running: serde_json::from_value(running).unwrap(),
    }
}

fn drawn(view: &View) -> String {
    let mut terminal = Terminal::new(TestBackend::new(78, 18)).unwrap();
    terminal.draw(|frame| draw_at(frame, view, NOW.parse().unwrap())).unwrap();
    let text = terminal.backend().to_string();
    let lines = text.lines().map(|line| line.trim_matches('"').trim_end());
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn the_fleet_is_shown_and_hostile_text_is_escaped() {
    let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
    let snapshot = snapshot(
        json!([
            {"id": "0000000000aa", "name": "host-1\u{1b}[31m", "status": "running",
             "capacityMap": {"cpu": 4, "scan": 1}, "free": {"cpu": 1, "scan": 1},
             "jobs": [id, id, id]},
        ]),
        json!([
            {"id": id, "number": 7, "action": "scan", "status": "waiting",
             "scheduledAt": "2026-11-20T16:50:00Z",
             "waitingFor": {"code": "lock", "message": "lock a\nb is held by job 3"}},
        ]),
        json!([
            {"id": id, "number": 3, "action": "gc", "status": "running",
             "workerID": "0000000000aa", "scheduledAt": "2026-11-20T16:40:00Z",
             "startedAt": "2026-11-20T16:54:30Z"},
        ]),
    );
    let mut view = View::new(snapshot);
    expect![[r#"
        Capstan 0.1.0 · Redis ok · RabbitMQ no scheduler \x1b[2Jis running · 2 workers
        250 waiting · 12 running · 1803 done · 0 error · 2 cancel
        last 60 s: 4.0/s started · 3.9/s ended · 1 failed
        two versions of \u{202e}Capstan run
        Workers───────────────────────────────────────────────────────────────────────
        NAME                 STATUS     JOBS   CAPACITY IN USE
        host-1\x1b[31m       running    3      cpu ██████░░ 3/4  scan ░░░░░░░░ 0/1
        Waiting longest───────────────────────────────────────────────────────────────
        NUMBER    ACTION               DUE FOR   WHY
        7         scan                 5 min     lock a\nb is held by job 3
        Running───────────────────────────────────────────────────────────────────────
        NUMBER    ACTION               RUNS FOR  WHERE
        3         gc                   30 s      worker 0000000000aa, running




        q quit · p pause · r refresh · ? help
    "#]]
    .assert_eq(&drawn(&view));
    view.shows_help = true;
    view.is_paused = true;
    expect![[r#"
        Capstan 0.1.0 · Redis ok · RabbitMQ no scheduler \x1b[2Jis running · 2 workers
        250 waiting · 12 running · 1803 done · 0 error · 2 cancel
        last 60 s: 4.0/s started · 3.9/s ended · 1 failed
        two versions of \u{202e}Capstan run
        Workers───────────────────────────────────────────────────────────────────────
        NAME                 STATUS     JOBS   CAPACITY IN USE
        host-1\x1b[31m       r┌Keys────────────────────────────┐ scan ░░░░░░░░ 0/1
        Waiting longest───────│ q   quit (Esc and Ctrl-C too)  │──────────────────────
        NUMBER    ACTION      │ p   stop or resume refreshing  │
        7         scan        │ r   refresh now                │ld by job 3
        Running───────────────│ ?   show or hide this help     │──────────────────────
        NUMBER    ACTION      └────────────────────────────────┘
        3         gc                   30 s      worker 0000000000aa, running




        q quit · paused · p resume · r refresh · ? help
    "#]]
    .assert_eq(&drawn(&view));
}

#[test]
fn an_outage_is_shown_with_the_last_known_state() {
    let mut view = View::new(snapshot(json!([]), json!([]), json!([])));
    view.problem = Some("cannot reach the API".to_owned());
    expect![[r#"
        cannot reach the API
        250 waiting · 12 running · 1803 done · 0 error · 2 cancel
        last 60 s: 4.0/s started · 3.9/s ended · 1 failed
        two versions of \u{202e}Capstan run
        Workers───────────────────────────────────────────────────────────────────────
        no worker is live

        Waiting longest───────────────────────────────────────────────────────────────
        no job waits

        Running───────────────────────────────────────────────────────────────────────
        no job runs





        q quit · p pause · r refresh · ? help
    "#]]
    .assert_eq(&drawn(&view));
}
