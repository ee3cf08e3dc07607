//! What `capstan up` prints when everything runs.

use super::environment;

/// Where everything is.
pub(super) struct Overview<'a> {
    pub(super) api: &'a str,
    pub(super) redis: &'a str,
    pub(super) rabbitmq: &'a str,
    pub(super) data: String,
    /// Whether `.capstan/env` was written.
    pub(super) has_environment_file: bool,
}

impl Overview<'_> {
    /// Says where everything is, and three things to try.
    pub(super) fn text(&self) -> String {
        let Overview { api, redis, rabbitmq, data, .. } = self;
        let (environment, try_this) = if self.has_environment_file {
            let path = environment::PATH;
            (format!("  variables {path} (deleted at the end)\n"), Self::with_the_file())
        } else {
            (String::new(), self.with_curl())
        };
        format!(
            "
Capstan is up. Ctrl-C stops it.

  API       {api} (its documentation: {api}/docs)
  Redis     {redis}
  RabbitMQ  {rabbitmq}
  data      {data}
{environment}
{try_this}"
        )
    }

    fn with_the_file() -> String {
        let path = environment::PATH;
        format!(
            "\
Three things to try, in another terminal in this directory:

  . {path} && capstan jobs submit sleep -p seconds=5 --wait
  . {path} && capstan jobs list
  . {path} && capstan-worker --actions FILE    # a worker with your own actions
"
        )
    }

    fn with_curl(&self) -> String {
        let api = self.api;
        format!(
            "\
Three things to try:

  curl -s {api}/api/v0/workers
  curl -s {api}/api/v0/jobs -H 'content-type: application/json' \\
    -d '{{\"action\":\"sleep\",\"parameters\":{{\"seconds\":\"5\"}},\"capacityMap\":{{\"scan\":1}}}}'
  curl -s '{api}/api/v0/jobs?limit=3'
"
        )
    }
}
