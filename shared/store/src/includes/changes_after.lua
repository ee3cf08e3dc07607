-- changes_after: what the follow-up of a run that has ended differs in; nil when the run gets none.
-- include: job_keys

-- By failures, not by attempts: one that ended because its worker shut down does not count.
local function backoff_ms(id, job, backoff, jitter)
  local own = call('HMGET', key_job(id), 'backoffBase', 'backoffMax')
  local first, longest = tonumber(own[1] or backoff.base), tonumber(own[2] or backoff.max)
  local retries = cjson.decode(call('HGET', key_job(id), 'spec')).retries or 0
  local failures = math.max(0, math.min(retries - job.retriesLeft, 30))
  return math.floor(math.min(longest, first * 2 ^ failures) * (0.5 + jitter / 2))
end

local function changes_after(id, to, job, backoff, jitter)
  if job.status == 'cancel_request' then return nil end
  if to == 'error' and job.retriesLeft > 0 then
    local delay_ms = backoff_ms(id, job, backoff, jitter)
    return { retriesLeft = job.retriesLeft - 1, crashes = 0, delay_ms = delay_ms }
  elseif to == 'worker_shutdown' and call('HGET', key_job(id), 'onWorkerLost') ~= 'fail' then
    return { retriesLeft = job.retriesLeft, crashes = job.crashes, delay_ms = 0 }
  end
end
