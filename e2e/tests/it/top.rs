//! `capstan top` on a real terminal: what it shows, and that the terminal is as before when it
//! ends.

use crate::cli::run;

/// Runs `capstan top` on a terminal of its own, does something once the waiting job is shown, and
/// prints how it ended and the state of the terminal.
const SCRIPT: &str = r#"
    capstan jobs submit noop --capacity gpu=9 >/dev/null
    folder=$(mktemp -d)
    mkfifo "$folder/keys"
    top='stty cols 100 rows 30; sh -c "echo \$\$ >'$folder'/pid; exec capstan top"; echo "exit $?"; stty -a'
    script -qec "$top" /dev/null <"$folder/keys" >"$folder/shown" &
    exec 3>"$folder/keys"
    until grep -qa 'gpu' "$folder/shown"; do sleep 0.1; done
    END
    wait %1 || true
    exec 3>&-
    grep -aq 'Waiting longest' "$folder/shown" && echo shown
    grep -ao 'exit [0-9]*' "$folder/shown"
    grep -aoE -- '-?(icanon|echo)\b' "$folder/shown" | sort
    # The last switch of screens goes back to the usual one, and the cursor is shown again.
    grep -ao '1049[hl]' "$folder/shown" | tail -1
    grep -ao '?25[hl]' "$folder/shown" | tail -1
    rm -r "$folder"
"#;

#[tokio::test]
async fn a_key_or_a_signal_ends_it_and_the_terminal_is_as_before() {
    let expected = "shown\nexit 0\necho\nicanon\n1049l\n?25h\n";
    for end in ["printf q >&3", r"printf '\003' >&3", r#"kill -TERM "$(cat "$folder/pid")""#] {
        assert_eq!(run("", &SCRIPT.replace("END", end)).await, expected, "{end}");
    }
}

#[tokio::test]
async fn without_a_terminal_it_says_what_to_use() {
    let script = "capstan top </dev/null 2>&1 || echo \"exit $?\"";
    let expected = "capstan: top needs a terminal; use `capstan status` to print the state of the \
                    fleet\nexit 2\n";
    assert_eq!(run("", script).await, expected);
}
