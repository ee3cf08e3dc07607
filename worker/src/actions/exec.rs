//! An action that runs a command: no shell, a process group and a private directory of its own, all that it has started
//! gone when it is over. docs/exec-protocol.md says what a command is given and what it may say.

pub(super) mod argument;
mod children;
mod ending;
mod folder;
pub(super) mod groups;
pub(super) mod limits;
mod lines;
mod output;
mod reaper;
mod remains;
pub(super) mod room;
mod run;
pub(super) mod spawning;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use nix::unistd::{Gid, User, geteuid, getgrouplist};
use domain::job::Exception;
use store::ActionDefaults;
use tokio::process::Command;

use super::{Action, Context, Ended};
use argument::{Argument, Given, Source as Value};
use ending::cannot_start;
use groups::{Group, Groups};
use limits::Limits;
use output::Secrets;
use reaper::Become;
use room::{Room, Rooms};

/// What a command gets of the worker's environment; all else may hold secrets.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// How a command is declared.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) argv: Vec<String>,
    pub(super) environment: BTreeMap<String, Given>,
    pub(super) stdin: Option<Given>,
    pub(super) directory: Option<PathBuf>,
    pub(super) user: Option<String>,
    pub(super) limits: Limits,
    pub(super) defaults: ActionDefaults,
}

/// What all commands of a worker share.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) rooms: Arc<Rooms>,
    /// `None` where the machine does not allow it.
    pub(super) groups: Option<Arc<Groups>>,
}

/// A command with places for parameters.
#[derive(Debug)]
pub(super) struct Exec {
    program: String,
    arguments: Vec<Argument>,
    environment: BTreeMap<String, Value>,
    stdin: Option<Value>,
    directory: Option<PathBuf>,
    user: Option<Other>,
    limits: Limits,
    defaults: ActionDefaults,
    ground: Ground,
}

/// Another user to run as.
#[derive(Debug)]
struct Other {
    user: User,
    groups: Vec<Gid>,
}

impl Exec {
    pub(super) fn new(declared: Declared, ground: Ground) -> Result<Exec, String> {
        let mut arguments = declared.argv.iter().map(|argument| Argument::parse(argument));
        let program = match arguments.next().ok_or("argv is empty")?? {
            Argument::Literal(program) if !program.is_empty() => program,
            Argument::Literal(_) => return Err("the command is empty".to_owned()),
            Argument::Parameter(_) | Argument::All => {
                return Err("the command itself cannot be a parameter".to_owned());
            }
        };
        let arguments = arguments.collect::<Result<_, String>>()?;
        let variable = |(name, given): (String, Given)| {
            if name.is_empty() || name.contains(['=', '\0']) || name.starts_with("JOB_") {
                return Err(format!("environment.{name} cannot be set"));
            }
            let value = Value::parse(&given).map_err(|why| format!("environment.{name}: {why}"))?;
            Ok((name, value))
        };
        let environment =
            declared.environment.into_iter().map(variable).collect::<Result<_, _>>()?;
        let stdin = declared.stdin.as_ref().map(Value::parse).transpose();
        declared.limits.check()?;
        Ok(Exec {
            program,
            arguments,
            environment,
            stdin: stdin.map_err(|why| format!("stdin: {why}"))?,
            directory: declared.directory,
            user: declared.user.map(|name| Other::named(&name)).transpose()?,
            limits: declared.limits,
            defaults: declared.defaults,
            ground,
        })
    }

    fn command(
        &self,
        context: &Context,
        room: &Room,
        secrets: &mut Secrets,
    ) -> Result<Command, Exception> {
        let parameters = context.job.spec.parameters.as_ref();
        let mut command = Command::new(&self.program);
        for argument in &self.arguments {
            command.arg(argument.filled(parameters)?);
        }
        command.env_clear();
        for name in INHERITED {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        if let Some(Other { user, .. }) = &self.user {
            command.env("HOME", &user.dir).env("USER", &user.name).env("LOGNAME", &user.name);
        }
        command.env("TMPDIR", room.path());
        for (name, value) in &self.environment {
            let text = value.filled(parameters)?;
            if value.is_secret() {
                secrets.add(&text);
            }
            command.env(name, text);
        }
        command.env("JOB_ID", context.job.id.to_string());
        command.env("JOB_NUMBER", context.job.number.to_string());
        command.env("JOB_ACTION", context.job.spec.action.as_str());
        command.env("JOB_ATTEMPT", context.job.attempt.to_string());
        command.env("JOB_TOKEN", context.job.token.to_string());
        command.env("JOB_LOCKS", context.locks().to_string());
        command.env("JOB_RESULT", room.result());
        command.env("JOB_CHILDREN", room.children());
        command.env("JOB_PROGRESS", room.progress());
        command.current_dir(self.directory.as_deref().unwrap_or(room.path()));
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// What the command becomes, and the cgroup that it is in.
    fn become_it(&self, context: &Context) -> Result<(Become, Option<Group>), Exception> {
        let groups = self.ground.groups.as_ref().filter(|_| self.limits.need_group());
        let (id, token) = (context.job.id, context.job.token);
        let group = groups.map(|groups| groups.group(id, token, &self.limits)).transpose();
        let group = group.map_err(|error| cannot_start("its cgroup", &error))?;
        let become_it = Become {
            address_space: self.limits.address_space.map(|size| size.0),
            open_files: self.limits.open_files,
            nice: self.limits.nice,
            cgroup: group.as_ref().and_then(Group::members),
            user: self
                .user
                .as_ref()
                .filter(|_| geteuid().is_root())
                .map(|other| (other.user.uid, other.user.gid, other.groups.clone())),
        };
        Ok((become_it, group))
    }
}

impl Action for Exec {
    fn defaults(&self) -> ActionDefaults {
        self.defaults.clone()
    }

    fn run(&self, context: Context) -> BoxFuture<'_, Ended> {
        Exec::run(self, context).boxed()
    }
}

impl Other {
    fn named(name: &str) -> Result<Other, String> {
        let found = User::from_name(name).map_err(|error| format!("user {name}: {error}"))?;
        let user = found.ok_or_else(|| format!("there is no user {name}"))?;
        if !geteuid().is_root() && user.uid != geteuid() {
            return Err(format!("only a worker of root's may run commands as user {name}"));
        }
        let text = CString::new(name).map_err(|error| error.to_string())?;
        let groups =
            getgrouplist(&text, user.gid).map_err(|error| format!("user {name}: {error}"))?;
        Ok(Other { user, groups })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn what_cannot_be_run_is_refused_at_the_start() {
        let folder = std::env::temp_dir();
        let ground = Ground { rooms: Arc::new(Rooms::open(&folder).unwrap()), groups: None };
        let refused = |declared: Declared| Exec::new(declared, ground.clone()).err().unwrap();
        let command = |argv: &[&str]| Declared {
            argv: argv.iter().map(ToString::to_string).collect(),
            ..Declared::default()
        };
        expect!["argv is empty"].assert_eq(&refused(command(&[])));
        expect!["the command itself cannot be a parameter"]
            .assert_eq(&refused(command(&["{{b}}"])));
        expect![[r#"argument "x{{b}}" mixes a parameter with other text; a parameter is a whole argument"#]]
            .assert_eq(&refused(command(&["c", "x{{b}}"])));
        let user = Some("no-such-user".to_owned());
        expect!["there is no user no-such-user"]
            .assert_eq(&refused(Declared { user, ..command(&["c"]) }));
        let environment = |name: &str| [(name.to_owned(), Given::Text("x".to_owned()))].into();
        let declared = Declared { environment: environment("JOB_ID"), ..command(&["c"]) };
        expect!["environment.JOB_ID cannot be set"].assert_eq(&refused(declared));
        let declared = Declared { stdin: Some(Given::Text("a{{b}}".into())), ..command(&["c"]) };
        assert!(refused(declared).starts_with("stdin: argument"));
    }
}
