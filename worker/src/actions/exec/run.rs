//! A run of a command, from its room to its result: what the command says is read while it runs,
//! and to its end.

use domain::job::Exception;
use store::Source;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::Exec;
use super::ending::{cannot_start, end_of, ended_as};
use super::lines::Lines;
use super::output::{Secrets, copy_lines, copy_progress};
use super::reaper::Running;
use super::remains::Remains;
use super::room::Room;
use super::spawning::{CHILD_BYTES, spawn_children};
use crate::actions::{Context, Ended};
use crate::progress::PROGRESS_BYTES;

impl Exec {
    /// Runs the command; when that returns, nothing of it is left.
    pub(super) async fn run(&self, context: Context) -> Ended {
        let owner = self.user.as_ref().map(|other| (other.user.uid, other.user.gid));
        let room = self.ground.rooms.room(context.job.id, context.job.token, owner);
        let room = room.map_err(|error| cannot_start("its directory", &error))?;
        let ended = self.run_in(&room, context).await;
        room.leave().await;
        ended
    }

    async fn run_in(&self, room: &Room, mut context: Context) -> Ended {
        let mut secrets = Secrets::default();
        let mut command = self.command(&context, room, &mut secrets)?;
        let stdin = self.stdin.as_ref().map(|stdin| {
            let text = stdin.filled(context.job.spec.parameters.as_ref())?;
            if stdin.is_secret() {
                secrets.add(&text);
            }
            Ok::<_, Exception>(text)
        });
        let stdin = stdin.transpose()?;
        let no_pipe = |error| cannot_start("its pipes", &error);
        let progress = Lines::of(&room.progress(), 2 * PROGRESS_BYTES).map_err(no_pipe)?;
        let children = Lines::of(&room.children(), CHILD_BYTES).map_err(no_pipe)?;
        let (become_it, group) = self.become_it(&context)?;
        let remains = Remains::new(room, group.as_ref())
            .map_err(|error| cannot_start("its reaper", &error))?;
        let mut running = Running::start(&mut command, become_it, remains)
            .map_err(|error| cannot_start(&self.program, &error))?;
        drop(command);
        let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
        let giving = running.child.stdin.take().zip(stdin);
        let (log, teller) = (context.log.clone(), context.progress.clone());
        let family = context.family.clone();
        let over = CancellationToken::new();
        let giving = async {
            if let Some((mut pipe, text)) = giving {
                // Who does not read it to its end has read enough.
                over.run_until_cancelled(pipe.write_all(text.as_bytes())).await;
            }
        };
        let ending = async {
            let ended = end_of(&mut running, &mut context).await;
            over.cancel();
            ended
        };
        let (ended, out, err, (), spawned, ()) = tokio::join!(
            ending,
            copy_lines(stdout, (Source::Stdout, &log), &secrets, &over),
            copy_lines(stderr, (Source::Stderr, &log), &secrets, &over),
            copy_progress(progress, &teller, &log, &over),
            spawn_children(children, &family, &log, &over),
            giving,
        );
        if !(out && err) {
            let told =
                "a process that is none of the job's still holds its output, which is cut here";
            log.line(Source::Capstan, told).await;
        }
        let (status, asked) = ended.map_err(|error| {
            Exception::new("CannotWait", format!("cannot wait for {}: {error}", self.program))
        })?;
        ended_as(status)?;
        if asked {
            // It was told to end, and has, cleanly: that does not mean that its work is done.
            return Err(Exception::new("Stopped", "the command ended when it was asked to"));
        }
        spawned?;
        room.read_result()
    }
}
