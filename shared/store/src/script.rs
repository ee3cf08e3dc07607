//! The scripts: compiled in, joined with the prelude, called by one function. Knows no script's meaning.

use std::sync::LazyLock;

use redis::{Script, ScriptInvocation};

use super::answer::Answer;
use super::{Store, StoreError};

/// One script and its verb.
pub(super) struct Verb {
    pub(super) name: &'static str,
    script: Script,
}

macro_rules! verbs {
    ($($name:ident $flags:literal $(+ $more:literal)?)*) => {
        /// Every script of the store.
        pub(super) struct Scripts {
            $(pub(super) $name: Verb,)*
        }

        static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| Scripts {
            $($name: Verb {
                name: stringify!($name),
                script: Script::new(concat!(
                    "#!lua", $flags, "\n",
                    include_str!("prelude/keys.lua"),
                    include_str!("prelude/offers.lua"),
                    include_str!("prelude/locks.lua"),
                    include_str!("prelude/life.lua"),
                    include_str!("prelude/settle.lua"),
                    $(include_str!($more),)?
                    include_str!(concat!(stringify!($name), ".lua")),
                )),
            },)*
        });
    };
}

// What ends or renews work is allowed when Redis is full: it is how space comes free again, and running jobs
// must not lose their leases, or wait with their ends for a line of their (bounded) logs. What adds work is refused
// then, before it writes anything.
verbs! {
    submit "" + "prelude/relations.lua"
    keep_batch ""
    claim ""
    due ""
    reoffer ""
    retry ""
    cancel " flags=allow-oom"
    delete " flags=allow-oom"
    lapse " flags=allow-oom"
    settle " flags=allow-oom"
    change ""
    set_permits ""
    pause " flags=allow-oom"
    clear_lock " flags=allow-oom"
    steer " flags=allow-oom"
    trim " flags=allow-oom"
    due_crons " flags=allow-oom" + "prelude/crons.lua"
    fire "" + "prelude/crons.lua"
    set_cron "" + "prelude/crons.lua"
    delete_cron " flags=allow-oom" + "prelude/crons.lua"
    run_cron "" + "prelude/crons.lua"
    set_action_config ""
    set_subscription "" + "prelude/subscriptions.lua"
    pause_subscription " flags=allow-oom" + "prelude/subscriptions.lua"
    delete_subscription " flags=allow-oom" + "prelude/subscriptions.lua"
    notify "" + "prelude/subscriptions.lua"
    note_try " flags=allow-oom" + "prelude/subscriptions.lua"
    forget_deliveries " flags=allow-oom" + "prelude/subscriptions.lua"
    log " flags=allow-oom"
    progress " flags=allow-oom"
    finish " flags=allow-oom"
    beat " flags=allow-oom"
    leave " flags=allow-oom"
    expire " flags=allow-oom"
}

impl Scripts {
    pub(super) fn all() -> &'static Scripts {
        &SCRIPTS
    }
}

impl Store {
    /// Calls a script: root as its key, then what `arguments` adds.
    pub(super) async fn call(
        &self,
        verb: &'static Verb,
        arguments: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> Result<Answer, StoreError> {
        let mut connection = self.connection.clone();
        let mut invocation = verb.script.prepare_invoke();
        invocation.key(self.keys.root());
        arguments(&mut invocation);
        let value: redis::Value = invocation.invoke_async(&mut connection).await?;
        Ok(Answer::new(verb.name, value))
    }
}
