//! A command as an action declares it, with placeholders for parameters, and the process that it
//! becomes for one job.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use domain::job::Exception;
use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};
use tokio::process::Command;

use super::cgroup::Cgroup;
use super::limits::Limits;
use super::process_settings::ProcessSettings;
use super::secrets::Secrets;
use super::workdir::Workdir;
use crate::actions::template::{Template, TextOrSecret, TextSource};
use crate::context::Context;

/// The variables that a command inherits from the worker. Others may contain secrets.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// A command as the actions file declares it.
#[derive(Debug, Default)]
pub(in crate::actions) struct CommandDeclaration {
    pub(in crate::actions) argv: Vec<String>,
    pub(in crate::actions) environment: BTreeMap<String, TextOrSecret>,
    pub(in crate::actions) stdin: Option<TextOrSecret>,
    pub(in crate::actions) directory: Option<PathBuf>,
    pub(in crate::actions) user: Option<String>,
    pub(in crate::actions) limits: Limits,
}

/// A checked command with placeholders for parameters.
#[derive(Debug)]
pub(super) struct CommandTemplate {
    pub(super) program: String,
    pub(super) limits: Limits,
    arguments: Vec<Template>,
    environment: BTreeMap<String, TextSource>,
    stdin: Option<TextSource>,
    directory: Option<PathBuf>,
    user: Option<RunAs>,
}

/// The user that a command runs as.
#[derive(Debug)]
struct RunAs {
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
    /// The name and the home directory of a user that the actions file names.
    account: Option<(String, PathBuf)>,
}

impl CommandTemplate {
    /// Checks a declaration. The command runs as `job_user`, unless the declaration names a user.
    pub(super) fn new(
        declaration: CommandDeclaration,
        job_user: Option<(Uid, Gid)>,
    ) -> Result<CommandTemplate, String> {
        let mut arguments = declaration.argv.iter().map(|argument| Template::parse(argument));
        let program = match arguments.next().ok_or("argv is empty")?? {
            Template::Literal(program) if !program.is_empty() => program,
            Template::Literal(_) => return Err("the program is empty".to_owned()),
            Template::Parameter(_) | Template::AllParameters => {
                return Err("the program must not be a parameter".to_owned());
            }
        };
        let arguments = arguments.collect::<Result<_, String>>()?;
        let variable = |(name, value): (String, TextOrSecret)| {
            if name.is_empty() || name.contains(['=', '\0']) || name.starts_with("JOB_") {
                return Err(format!("environment.{name} must not be set"));
            }
            let source = TextSource::parse(&value);
            let source = source.map_err(|why| format!("environment.{name}: {why}"))?;
            Ok((name, source))
        };
        let environment =
            declaration.environment.into_iter().map(variable).collect::<Result<_, _>>()?;
        let stdin = declaration.stdin.as_ref().map(TextSource::parse).transpose();
        declaration.limits.check()?;
        let user = match &declaration.user {
            Some(name) => Some(RunAs::account(name)?),
            None => job_user.map(RunAs::job_user),
        };
        Ok(CommandTemplate {
            program,
            arguments,
            environment,
            stdin: stdin.map_err(|why| format!("stdin: {why}"))?,
            directory: declaration.directory,
            user,
            limits: declaration.limits,
        })
    }

    /// Returns the program if it is not installed. Relative paths, and programs of commands that set
    /// their own `PATH`, are not checked.
    pub(super) fn missing_program(&self) -> Option<&str> {
        let program = Path::new(&self.program);
        if program.is_absolute() {
            return (!program.exists()).then_some(&self.program);
        }
        if self.program.contains('/') || self.environment.contains_key("PATH") {
            return None;
        }
        let path = std::env::var_os("PATH")?;
        let found = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
        (!found).then_some(&self.program)
    }

    /// Returns the user and the group that own the command's files.
    pub(super) fn owner(&self) -> Option<(Uid, Gid)> {
        self.user.as_ref().map(|run_as| (run_as.user, run_as.group))
    }

    /// Returns the command for one job. Its secrets are added to `secrets`.
    pub(super) fn command(
        &self,
        context: &Context,
        workdir: &Workdir,
        secrets: &mut Secrets,
    ) -> Result<Command, Exception> {
        let parameters = context.job.spec.parameters.as_ref();
        let mut command = Command::new(&self.program);
        for argument in &self.arguments {
            command.arg(argument.render(parameters)?);
        }
        command.env_clear();
        for name in INHERITED {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        match self.user.as_ref().map(|run_as| &run_as.account) {
            Some(Some((name, home))) => {
                command.env("HOME", home).env("USER", name).env("LOGNAME", name);
            }
            // Jobs of several actions share the user, so they must not share a home directory.
            Some(None) => {
                command.env("HOME", workdir.path());
            }
            None => {}
        }
        command.env("TMPDIR", workdir.path());
        for (name, source) in &self.environment {
            let value = source.render(parameters)?;
            if source.is_secret() {
                secrets.add(&value);
            }
            command.env(name, value);
        }
        set_job_variables(&mut command, context, workdir);
        command.current_dir(self.directory.as_deref().unwrap_or(workdir.path()));
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Returns the text for standard input, if there is one. A secret is added to `secrets`.
    pub(super) fn stdin(
        &self,
        context: &Context,
        secrets: &mut Secrets,
    ) -> Result<Option<String>, Exception> {
        let Some(source) = &self.stdin else { return Ok(None) };
        let text = source.render(context.job.spec.parameters.as_ref())?;
        if source.is_secret() {
            secrets.add(&text);
        }
        Ok(Some(text))
    }

    /// Returns the settings of the command's process.
    pub(super) fn process_settings(&self, cgroup: Option<&Cgroup>) -> ProcessSettings {
        // A worker that is not root may already run as this user.
        let changes = |run_as: &&RunAs| geteuid().is_root() || run_as.user != geteuid();
        let user = self.user.as_ref().filter(changes);
        ProcessSettings {
            address_space_bytes: self.limits.address_space.map(|size| size.0),
            open_files: self.limits.open_files,
            nice: self.limits.nice,
            cgroup_procs: cgroup.and_then(Cgroup::procs_file),
            user: user.map(|run_as| (run_as.user, run_as.group, run_as.groups.clone())),
        }
    }
}

fn set_job_variables(command: &mut Command, context: &Context, workdir: &Workdir) {
    let job = &context.job;
    command.env("JOB_ID", job.id.to_string());
    command.env("JOB_NUMBER", job.number.to_string());
    command.env("JOB_ACTION", job.spec.action.as_str());
    command.env("JOB_ATTEMPT", job.attempt.to_string());
    command.env("JOB_TOKEN", job.token.to_string());
    command.env("JOB_LOCKS", context.locks().to_string());
    command.env("JOB_RESULT", workdir.result_file());
    command.env("JOB_CHILDREN", workdir.children_pipe());
    command.env("JOB_PROGRESS", workdir.progress_pipe());
    command.env("JOB_CHECKPOINT", workdir.checkpoint_pipe());
    if context.checkpoints.last().is_some() {
        command.env("JOB_RESUME", workdir.resume_file());
    }
    if context.signals.body().is_some() {
        command.env("JOB_SIGNAL", workdir.signal_file());
    }
}

impl RunAs {
    fn job_user((user, group): (Uid, Gid)) -> RunAs {
        RunAs { user, group, groups: vec![group], account: None }
    }

    fn account(name: &str) -> Result<RunAs, String> {
        let found = User::from_name(name).map_err(|error| format!("user {name}: {error}"))?;
        let user = found.ok_or_else(|| format!("user {name} does not exist"))?;
        if !geteuid().is_root() && user.uid != geteuid() {
            return Err(format!("running as user {name} requires a worker that runs as root"));
        }
        let text = CString::new(name).map_err(|error| error.to_string())?;
        let groups =
            getgrouplist(&text, user.gid).map_err(|error| format!("user {name}: {error}"))?;
        let account = Some((user.name, user.dir));
        Ok(RunAs { user: user.uid, group: user.gid, groups, account })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_program_that_is_not_installed_is_reported() {
        let missing = |program: &str| {
            let argv = vec![program.to_owned()];
            let declaration = CommandDeclaration { argv, ..CommandDeclaration::default() };
            let template = CommandTemplate::new(declaration, None).unwrap();
            template.missing_program().map(str::to_owned)
        };
        for program in ["sh", "/bin/sh", "./in-the-working-directory"] {
            assert_eq!(missing(program), None);
        }
        for program in ["no-such-program", "/bin/no-such-program"] {
            assert_eq!(missing(program).as_deref(), Some(program));
        }
    }

    #[test]
    fn a_declaration_that_cannot_run_is_refused_at_startup() {
        let refused = |declaration: CommandDeclaration| {
            CommandTemplate::new(declaration, None).err().unwrap()
        };
        let command = |argv: &[&str]| CommandDeclaration {
            argv: argv.iter().map(ToString::to_string).collect(),
            ..CommandDeclaration::default()
        };
        expect!["argv is empty"].assert_eq(&refused(command(&[])));
        expect!["the program must not be a parameter"].assert_eq(&refused(command(&["{{b}}"])));
        expect![[
            r#""x{{b}}" mixes a placeholder with other text; a placeholder must stand alone"#
        ]]
        .assert_eq(&refused(command(&["c", "x{{b}}"])));
        let user = Some("no-such-user".to_owned());
        expect!["user no-such-user does not exist"]
            .assert_eq(&refused(CommandDeclaration { user, ..command(&["c"]) }));
        let environment = [("JOB_ID".to_owned(), TextOrSecret::Text("x".to_owned()))].into();
        expect!["environment.JOB_ID must not be set"]
            .assert_eq(&refused(CommandDeclaration { environment, ..command(&["c"]) }));
        let stdin = Some(TextOrSecret::Text("a{{b}}".into()));
        let refused = refused(CommandDeclaration { stdin, ..command(&["c"]) });
        assert!(refused.starts_with("stdin: "), "{refused}");
    }
}
