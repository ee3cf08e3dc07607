//! Calls of Redis itself, for states that the store reaches only after long, or by a mistake.

/// Makes a call of a Redis. Returns the answer as text.
pub async fn redis_cli(url: &str, arguments: impl IntoIterator<Item = String>) -> String {
    let mut command = tokio::process::Command::new("redis-cli");
    command.args(["-u", url, "-e"]).args(arguments);
    let output = command.output().await.expect("redis-cli is installed");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{answer}{}", String::from_utf8_lossy(&output.stderr));
    answer
}
