-- start_run: gives a waiting job to a worker: a new token, its locks, and its place in the indexes.
-- `most` is how many runs the script may still start.
-- include: move_job, queue_of, offered_at, claimed_up_to, hold_locks, withdraw_job, wake_waiters
-- include: members, next_of, job_keys, worker_keys, digits

local function start_run(id, job, worker, needs, most, now)
  local moment = digits(now)
  job.token = next_of('token', most)
  move_job(id, job, 'running', worker, job.token)
  local offered = offered_at(id, job)
  -- A job that waited for a lock was offered again when it was granted the lock.
  local granted_at = job.parkedAt and offered and { 'grantedAt', digits(offered) } or {}
  call('HSET', key_job(id), 'status', 'running', 'workerID', worker, 'token', job.token,
    'startedAt', moment, 'lastUpdated', moment, unpack(granted_at))
  if offered then
    local queue = queue_of(job)
    claimed_up_to[queue] = math.max(claimed_up_to[queue] or 0, tonumber(offered))
  end
  hold_locks(id, needs)
  withdraw_job(id, job, now)
  for _, lock in ipairs(needs) do wake_waiters(lock.name, now) end
  if job.expiresAt then remove_member(root .. 'expiring', id) end
  add_member(key_jobs_of(worker), job.scheduledAt, id)
  add_to_set(key_running(worker), id)
end
