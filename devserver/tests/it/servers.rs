//! The private Redis and RabbitMQ.

use std::process::Command;
use std::time::Duration;

use devserver::{Redis, Run, Servers};

use crate::{Folder, ask_redis, is_alive};

#[tokio::test]
async fn redis_keeps_its_data_and_its_port_when_it_is_killed_and_started_again() {
    let run = Run::temporary().unwrap();
    let mut redis = Redis::new(&run).unwrap();
    redis.process.start().await.unwrap();
    assert_eq!(ask_redis(&redis.url, "SET key kept"), "+OK\r\n+OK\r\n");
    redis.process.kill();
    assert_eq!(redis.process.id(), None);
    redis.process.start().await.unwrap();
    assert_eq!(ask_redis(&redis.url, "GET key"), "$4\r\nkept\r\n+OK\r\n");
}

#[tokio::test]
async fn both_servers_start_survive_kill_9_and_leave_nothing() {
    let folder = Folder::new("servers");
    let run = Run::open(folder.path()).unwrap();
    let mut servers = Servers::new(&run).await.unwrap();
    servers.start().await.unwrap();
    // RabbitMQ writes its schema to disk seconds later unless it is asked to.
    let declare = r#"{new, _} = rabbit_amqqueue:declare(
        {resource, <<"/">>, queue, <<"kept">>}, true, false, [], none, <<"test">>),
        mnesia:dump_log()."#;
    assert_eq!(rabbitmqctl(&servers, &["eval", declare]).trim(), "dumped");

    servers.rabbitmq.process.kill();
    servers.rabbitmq.process.start().await.unwrap();
    assert!(rabbitmqctl(&servers, &["-q", "list_queues", "name"]).contains("kept"));

    let pids: Vec<u32> = servers.processes().map(|process| process.id().unwrap()).collect();
    servers.stop(Duration::from_secs(30)).await.unwrap();
    assert!(pids.into_iter().all(|pid| !is_alive(pid)));
}

fn rabbitmqctl(servers: &Servers, arguments: &[&str]) -> String {
    let output = Command::new(&servers.rabbitmq.rabbitmqctl).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
