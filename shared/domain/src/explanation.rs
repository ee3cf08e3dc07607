//! What each code means and what to do about it: the reasons for which jobs wait, and the errors of
//! the API v0.

/// The explanation of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The code.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

const fn explain(code: &'static str, meaning: &'static str, remedy: &'static str) -> Explanation {
    Explanation { code, meaning, remedy }
}

/// The codes of `waitingFor`.
pub const WAIT_REASONS: &[Explanation] = &[
    explain(
        "due",
        "The job's scheduledAt, or the back-off before its retry, is in the future.",
        "Wait, or give it another time: capstan jobs change JOB --at TIME",
    ),
    explain(
        "dependency",
        "A job that it depends on has not finished.",
        "Look at the job that the message names: capstan jobs show JOB",
    ),
    explain(
        "children",
        "The job has done its part, and its children have not finished.",
        "Look at its children: capstan jobs list --parent JOB",
    ),
    explain(
        "signal",
        "The job has finished its run and waits for a signal, such as an approval, before it continues.",
        "Send the signal that the message names: capstan jobs signal JOB NAME",
    ),
    explain(
        "paused",
        "Its action or its class is paused.",
        "Resume it: capstan actions resume ACTION, or capstan queues resume CLASS",
    ),
    explain(
        "lock",
        "Another job holds a lock, a limit is reached, or the job needs more permits than the lock has.",
        "See who holds it: capstan locks show NAME. If the holder cannot be stopped: capstan locks \
         clear NAME",
    ),
    explain(
        "rate",
        "A rate limit allows no further start yet, or the job counts as more starts than it allows at \
         once.",
        "Wait until the time in the message, or change the limit: capstan limits set NAME --rate N \
         --per DURATION",
    ),
    explain(
        "fairness",
        "Its fairness group already has the maximum number of jobs on offer, or other groups of its \
         submitter go first.",
        "Wait, add workers, or use a finer fairnessKey.",
    ),
    explain(
        "capacity",
        "No live worker offers what the job needs.",
        "Start a worker that does, or change one: capstan workers capacity WORKER MAP",
    ),
    explain(
        "action",
        "No live worker that offers what the job needs knows its action, or only some do and their \
         other jobs are ahead of it.",
        "Start a worker whose file declares the action.",
    ),
    explain(
        "outage",
        "No scheduler is running, no scheduler is connected to RabbitMQ, or Redis is full.",
        "See which: capstan status",
    ),
    explain(
        "draining",
        "Every worker that could run the job is draining.",
        "Resume one: capstan workers resume WORKER",
    ),
    explain(
        "gathering",
        "Workers could run it, but none has all the capacity that it needs free at once. A worker \
         keeps its capacity free for it after 16 other jobs have started ahead of it.",
        "Wait until running jobs finish, or add workers.",
    ),
    explain(
        "queue",
        "Other jobs are ahead of it, or the namespace has the maximum number of queues.",
        "Add workers, or raise the priority: capstan jobs change JOB --priority high. If there are \
         too many queues, use fewer different capacity maps.",
    ),
];

/// The error codes of the API v0.
pub const ERRORS: &[Explanation] = &[
    explain(
        "INVALID_JSON",
        "The body of the request is not valid JSON.",
        "Correct it; the message says where.",
    ),
    explain(
        "INVALID_PARAMETERS",
        "A field or query parameter is unknown, invalid or too large.",
        "Correct the one that the message names.",
    ),
    explain(
        "NOT_AUTHENTICATED",
        "The request has no valid token, or its address has sent too many wrong ones.",
        "Set CAPSTAN_TOKEN or pass --token-file FILE. An admin creates tokens: capstan token new",
    ),
    explain(
        "NOT_AUTHORIZED",
        "The role of the token is too low for the request.",
        "Use a token with the role that the message names.",
    ),
    explain(
        "CROSS_SITE",
        "A page of another origin sent the request.",
        "Add the origin to CAPSTAN_CORS_ORIGINS of the API if its pages may call it.",
    ),
    explain(
        "WRONG_HOST",
        "The request names a host that the API does not serve.",
        "Use the host name of the API, or add this one to CAPSTAN_HOSTS of the API.",
    ),
    explain(
        "NO_SUCH_JOB",
        "There is no job with this id or number. It may have been removed from the history.",
        "List the jobs: capstan jobs list",
    ),
    explain(
        "NO_SUCH_WORKER",
        "There is no worker with this id. A worker that has ended is forgotten after a day.",
        "List the workers: capstan workers list --all",
    ),
    explain(
        "NO_SUCH_CRON",
        "There is no cron with this name.",
        "List the crons: capstan crons list",
    ),
    explain(
        "NO_SUCH_LOCK",
        "The lock is not held, waited for or configured.",
        "List the locks: capstan locks list",
    ),
    explain(
        "NO_SUCH_LIMIT",
        "There is no rate limit with this name.",
        "List the rate limits: capstan limits list",
    ),
    explain(
        "TOO_MANY_REQUESTS",
        "The token has sent more requests than CAPSTAN_TOKEN_RATE allows.",
        "Send requests again after the time in Retry-After, or submit jobs in batches.",
    ),
    explain(
        "NO_SUCH_LINK",
        "The link to a signal is incomplete, or was not made by this fleet.",
        "Copy the whole link, or create another: POST /jobs/{id}/signals/{name}/link",
    ),
    explain(
        "NO_SUCH_CLASS",
        "The text is not a valid class of jobs.",
        "Write it with its types in alphabetical order, like cpu=2+scan=1: capstan queues list",
    ),
    explain(
        "NO_SUCH_ACTION",
        "The text is not a valid action name.",
        "Use 1 to 64 characters of A-Z a-z 0-9 _ . -",
    ),
    explain(
        "NO_SUCH_ACTION_CONFIG",
        "The action has no configuration.",
        "List the configured actions: capstan actions list",
    ),
    explain(
        "NO_SUCH_SUBSCRIPTION",
        "There is no subscription with this name.",
        "List the subscriptions: capstan subscriptions list",
    ),
    explain(
        "NO_SUCH_BULK_OPERATION",
        "There is no bulk operation with this id. It is kept for a day after its end.",
        "List the operations: capstan bulk list",
    ),
    explain(
        "NO_SUCH_ROUTE",
        "The API has no route with this path.",
        "See the routes of the API at /docs. The program and the API may be of different versions.",
    ),
    explain(
        "NOT_ALLOWED",
        "The route does not allow this method.",
        "See the methods of the route at /docs.",
    ),
    explain(
        "UNSUPPORTED_MEDIA_TYPE",
        "The content type of the body is not JSON.",
        "Send the header Content-Type: application/json",
    ),
    explain(
        "CONFLICT",
        "The state does not allow the request: the job has finished or was retried already, or \
         a maximum number is reached.",
        "The message says what prevents it.",
    ),
    explain(
        "IDEMPOTENCY_MISMATCH",
        "The Idempotency-Key was used with another body within the last day.",
        "Send another key with this body.",
    ),
    explain(
        "QUOTA_EXCEEDED",
        "The submitter has reached its limit of waiting jobs, or of their total size.",
        "Wait until some have run, or raise the quota: capstan settings set --max-waiting-jobs N",
    ),
    explain(
        "UNAVAILABLE",
        "Redis is unreachable or full, or the API is overloaded.",
        "Try again in a second. If the error persists, check /readyz of the API.",
    ),
    explain(
        "INTERNAL_ERROR",
        "A bug in Capstan, or a record that cannot be read.",
        "See the log of the API.",
    ),
];

/// Returns the explanation of a code, written in either case.
#[must_use]
pub fn explanation(code: &str) -> Option<&'static Explanation> {
    let all = WAIT_REASONS.iter().chain(ERRORS);
    all.into_iter().find(|one| one.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_explained_once_and_found_in_either_case() {
        for one in WAIT_REASONS.iter().chain(ERRORS) {
            assert_eq!(explanation(&one.code.to_lowercase()), Some(one));
            assert_eq!(explanation(&one.code.to_uppercase()), Some(one));
        }
        assert_eq!(explanation("nothing"), None);
    }
}
