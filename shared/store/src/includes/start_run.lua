-- start_run: gives a waiting job to a worker: a new token, its locks, and its place in the indexes.
-- A script that starts runs calls record_claims last.
-- include: move_job, queue_of, offered_at, hold_locks, withdraw_job, wake_waiters, job_keys
-- include: worker_keys, digits

-- Per queue, when the newest of the claimed jobs was offered. An older offer that still waits was
-- lost.
local claimed_up_to = {}

local function start_run(id, job, worker, needs, now)
  local moment = digits(now)
  job.token = digits(call('INCR', root .. 'token'))
  move_job(id, job, 'running', worker, job.token)
  call('HSET', key_job(id), 'status', 'running', 'workerID', worker, 'token', job.token,
    'startedAt', moment, 'lastUpdated', moment)
  local offered = offered_at(id, job)
  if offered then
    local queue = queue_of(job)
    claimed_up_to[queue] = math.max(claimed_up_to[queue] or 0, tonumber(offered))
  end
  hold_locks(id, needs)
  withdraw_job(id, job, now)
  for _, lock in ipairs(needs) do wake_waiters(lock.name, now) end
  if job.expiresAt then call('ZREM', root .. 'expiring', id) end
  call('ZADD', key_jobs_of(worker), job.scheduledAt, id)
  call('SADD', key_running(worker), id)
end

local function record_claims()
  for queue, offered in pairs(claimed_up_to) do
    if offered > tonumber(call('HGET', root .. 'claimed_up_to', queue) or 0) then
      call('HSET', root .. 'claimed_up_to', queue, digits(offered))
    end
  end
end
