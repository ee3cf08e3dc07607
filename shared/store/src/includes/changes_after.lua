-- changes_after: what the follow-up of a run that has ended differs in; nil when the run gets none.
-- include: job_keys

-- How many runs of a job that held back a rate limit and failed use up no retry.
local most_held_back = 20

-- By failures, not by attempts: one that ended because its worker shut down does not count.
local function backoff_ms(id, job, backoff, jitter)
  local own = call('HMGET', key_job(id), 'backoffBase', 'backoffMax')
  local first, longest = tonumber(own[1] or backoff.base), tonumber(own[2] or backoff.max)
  local retries = cjson.decode(call('HGET', key_job(id), 'spec')).retries or 0
  local failures = math.max(0, math.min(retries - job.retriesLeft + job.heldBack, 30))
  return math.floor(math.min(longest, first * 2 ^ failures) * (0.5 + jitter / 2))
end

-- The run has its new status, its outcome and its jitter.
local function changes_after(id, job, run, backoff)
  if job.status == 'cancel_request' then return nil end
  local held_back = run.outcome == 'held_back' and job.heldBack < most_held_back
  if run.to == 'error' and (held_back or job.retriesLeft > 0) then
    return {
      retriesLeft = job.retriesLeft - (held_back and 0 or 1), crashes = 0,
      heldBack = held_back and job.heldBack + 1, delay_ms = backoff_ms(id, job, backoff, run.jitter),
    }
  elseif run.to == 'worker_shutdown' and call('HGET', key_job(id), 'onWorkerLost') ~= 'fail' then
    return { retriesLeft = job.retriesLeft, crashes = job.crashes, delay_ms = 0 }
  end
end
