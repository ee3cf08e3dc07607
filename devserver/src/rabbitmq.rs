//! A private RabbitMQ: a node and a name server (epmd) that share nothing with a RabbitMQ of the
//! system, neither ports nor cookie, configuration or folders.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Probe, Process, Run, free_port};

/// Debian's commands in /usr/sbin switch to the user `rabbitmq` and its folders; these do not.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// A RabbitMQ on a free port of 127.0.0.1 with its data in the folder of a run.
#[derive(Debug)]
pub struct RabbitMq {
    /// The URL of its default virtual host, with its default user.
    pub url: String,
    /// A program that runs `rabbitmqctl` against this node.
    pub rabbitmqctl: PathBuf,
    /// The folder of its data. Delete it while the process is down to lose all messages.
    pub data: PathBuf,
    /// Its process.
    pub process: Process,
    /// The name server of the node, which must run as long as the node does.
    pub epmd: Process,
}

impl RabbitMq {
    /// Describes a RabbitMQ; it is not started yet, but its name server is.
    pub async fn new(run: &Run) -> Result<RabbitMq, Error> {
        let home = run.create_folder("rabbitmq")?;
        let (epmd_port, amqp_port) = (free_port()?, free_port()?);
        let client = client_environment(&home, epmd_port);

        // In the foreground, as our child: an epmd that a node starts outlives the node.
        let mut command = run.command("epmd");
        command.args(["-address", "127.0.0.1", "-port", &epmd_port.to_string()]);
        let mut epmd =
            Process::new("epmd", command, run.log("epmd")).with_probe(Probe::listens(epmd_port));
        epmd.start().await?;

        write(&home.join("plugins"), "[].\n")?;
        write(&home.join("rabbitmq.conf"), &configuration(amqp_port))?;
        let rabbitmqctl = run.folder().join("rabbitmqctl");
        write_rabbitmqctl(&rabbitmqctl, &client)?;

        let mut command = Command::new(Path::new(PROGRAMS).join("rabbitmq-server"));
        command.env_clear().envs(client).envs(node_environment(&home, free_port()?));
        command.env(crate::MARK, run.folder()).current_dir(&home);
        let process = Process::new("rabbitmq", command, run.log("rabbitmq"))
            .with_probe(Probe::rabbitmq(amqp_port));
        let url = format!("amqp://guest:guest@127.0.0.1:{amqp_port}/%2f");
        Ok(RabbitMq { url, rabbitmqctl, data: home.join("data"), process, epmd })
    }

    /// Returns the Debian package to install if its program is missing.
    pub(crate) fn missing_package() -> Option<&'static str> {
        (!Path::new(PROGRAMS).join("rabbitmq-server").is_file()).then_some("rabbitmq-server")
    }
}

/// What the node and `rabbitmqctl` need to find each other.
fn client_environment(home: &Path, epmd_port: u16) -> Vec<(&'static str, OsString)> {
    vec![
        ("HOME", home.into()),
        ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ("LANG", "C.UTF-8".into()),
        ("ERL_EPMD_PORT", epmd_port.to_string().into()),
        ("ERL_CRASH_DUMP_SECONDS", "0".into()),
        // Part of the path of the data, and therefore constant.
        ("RABBITMQ_NODENAME", "capstan@localhost".into()),
        ("RABBITMQ_CONF_ENV_FILE", home.join("none").into()),
    ]
}

fn node_environment(home: &Path, distribution_port: u16) -> Vec<(&'static str, OsString)> {
    let none = || home.join("none").into();
    vec![
        ("RABBITMQ_DIST_PORT", distribution_port.to_string().into()),
        ("RABBITMQ_MNESIA_BASE", home.join("data").into()),
        ("RABBITMQ_LOG_BASE", home.into()),
        ("RABBITMQ_PID_FILE", home.join("pid").into()),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("plugins").into()),
        ("RABBITMQ_CONFIG_FILE", home.join("rabbitmq.conf").into()),
        ("RABBITMQ_CONFIG_FILES", none()),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", none()),
        ("RABBITMQ_GENERATED_CONFIG_DIR", home.join("generated").into()),
        // Threads that are not bound to a core: several nodes may share this machine.
        ("RABBITMQ_SCHEDULER_BIND_TYPE", "u".into()),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}".into(),
        ),
        // Makes the script exec the node, so that our child is the node and SIGTERM reaches it.
        ("RUNNING_UNDER_SYSTEMD", "true".into()),
    ]
}

fn configuration(port: u16) -> String {
    format!(
        "listeners.tcp.1 = 127.0.0.1:{port}\n\
         disk_free_limit.absolute = 50MB\n\
         raft.wal_max_size_bytes = 64000000\n\
         log.console = true\n\
         log.console.use_colors = off\n\
         log.connection.level = warning\n\
         log.file = false\n"
    )
}

fn write_rabbitmqctl(path: &Path, environment: &[(&str, OsString)]) -> Result<(), Error> {
    let mut script = "#!/bin/sh\nexec env -i".to_owned();
    for (name, value) in environment {
        let value = value.to_string_lossy().replace('\'', r"'\''");
        script.push_str(&format!(" {name}='{value}'"));
    }
    script.push_str(&format!(" {PROGRAMS}/rabbitmqctl \"$@\"\n"));
    write(path, &script)?;
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, executable)
        .map_err(Error::io(format!("write {}", path.display())))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}
