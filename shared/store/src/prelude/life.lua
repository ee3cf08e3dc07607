
-- life: how a job begins and ends, and what hangs on its end: follow-ups, those that depend on it, its parent.

-- What a job keeps beyond its first record: it is handed on to the job that carries it on.
local lasting = { 'uniqueKey', 'onWorkerLost', 'backoffBase', 'backoffMax', 'cron', 'share', 'locks', 'parent',
  'family', 'failed', 'next' }

-- A job that waits for nothing but its time and a worker.
local function place(id, job, now)
  if tonumber(job.scheduledAt) > now then
    call('ZADD', root .. 'due', job.scheduledAt, id)
  else
    offer(id, job, now)
  end
end

-- Writes a waiting job with all its indexes; `job` has the fields of its hash (scheduledAt as text), `spec` is what was asked.
local function create(id, job, spec, now)
  local number = text(call('INCR', root .. 'number'))
  local at, moment = job.scheduledAt, text(now)
  local fields = { 'number', number, 'status', 'waiting', 'createdAt', moment, 'lastUpdated', moment }
  -- The usual priority is not written: it would take most records to the allocator's next size.
  for name, value in pairs(job) do
    if value ~= 'normal' or name ~= 'priority' then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  fields[#fields + 1] = 'spec'
  fields[#fields + 1] = spec
  call('HSET', key_job(id), unpack(fields))
  call('ZADD', root .. 'jobs:number', number, id)
  call('ZADD', key_status('waiting'), at, id)
  call('ZADD', key_action(job.action), at, id)
  if job.uniqueKey then call('SET', key_unique(job.uniqueKey), id) end
  if job.expiresAt then call('ZADD', root .. 'expiring', job.expiresAt, id) end
  if job.parent then
    call('ZADD', key_family(job.parent), at, id)
    -- A family whose parent is over waits for nobody.
    if call('HEXISTS', root .. 'parents', job.parent) == 1 then call('ZADD', key_children(job.parent), at, id) end
  end
  emit(id, number, job.action, 'waiting', '', '')
  if not job.blockers then place(id, job, now) end
  return number
end

-- A retry is a new job that names the one it carries on from; written in the step that ends the old one.
local function follow_up(id, job, new_id, changes, now)
  local fields = {
    action = job.action, class = job.class, priority = job.priority, retryFromID = id,
    attempt = job.attempt + 1, scheduledAt = text(now + changes.delay_ms),
  }
  if changes.retriesLeft > 0 then fields.retriesLeft = changes.retriesLeft end
  if changes.crashes > 0 then fields.crashes = changes.crashes end
  for i, value in ipairs(call('HMGET', key_job(id), unpack(lasting))) do
    if value then fields[lasting[i]] = value end
  end
  if fields.cron and call('SREM', key_cron_jobs(fields.cron), id) == 1 then
    call('SADD', key_cron_jobs(fields.cron), new_id)
  end
  -- Those that wait for the old one wait for the new one.
  if job.next and call('EXISTS', key_dependents(id)) == 1 then call('RENAME', key_dependents(id), key_dependents(new_id)) end
  if job.family then call('HSET', root .. 'parents', job.family, new_id) end
  if job.parent then call('ZREM', key_children(job.parent), id) end
  job.followUpID = new_id
  return create(new_id, fields, spec_of(id), now)
end

-- Takes a job that is over out of the store, with its log.
local function remove(id, job)
  call('DEL', key_job(id), key_log(id))
  call('ZREM', root .. 'jobs:number', id)
  call('ZREM', key_status(job.status), id)
  call('ZREM', key_action(job.action), id)
  if job.worker then call('ZREM', key_jobs_of(job.worker), id) end
  if job.parent then call('ZREM', key_family(job.parent), id) end
end

-- Removes a job; a tombstone stays for a day, so that its id is not used again and people see what became of it.
local function bury(id, job, now)
  local created = call('HGET', key_job(id), 'createdAt')
  remove(id, job)
  local moment = text(now)
  call('HSET', key_job(id), 'status', 'deleted', 'number', job.number, 'action', job.action, 'class', job.class,
    'scheduledAt', job.scheduledAt, 'createdAt', created, 'lastUpdated', moment, 'finishedAt', moment)
  call('PEXPIRE', key_job(id), 86400000)
  emit(id, job.number, job.action, 'deleted', job.worker or '', job.token or '')
end

-- Notes what hangs on the end of a job.
local noted = false
local function settle_later(...)
  noted = true
  call('RPUSH', root .. 'settling', table.concat({ ... }, ' '))
end

local outcomes = { done = 'done', cancel = 'cancel', deleted = 'cancel' }
local function outcome_of(status) return outcomes[status] or 'error' end

-- A job and all that carried it on are over.
local function close(id, job, to)
  if job.next and call('EXISTS', key_dependents(id)) == 1 then settle_later('dependents', id, outcome_of(to)) end
  if job.parent and call('ZSCORE', key_children(job.parent), id) then
    settle_later('child', id, job.parent, outcome_of(to))
  end
  if job.family then
    call('HDEL', root .. 'parents', job.family)
    if to == 'cancel' and call('EXISTS', key_children(job.family)) == 1 then
      call('RENAME', key_children(job.family), root .. 'stopping:' .. job.family)
      settle_later('stop', job.family)
    else
      call('UNLINK', key_children(job.family))
    end
  end
end

-- The end of a job, from wherever it was: `fields` (name, value, …) say how it ended. Its follow-up, if any, is there.
local function over(id, job, to, fields, now)
  local moment = text(now)
  call('HSET', key_job(id), 'status', to, 'lastUpdated', moment, 'finishedAt', moment, unpack(fields))
  if job.uniqueKey and call('GET', key_unique(job.uniqueKey)) == id then call('DEL', key_unique(job.uniqueKey)) end
  move(id, job, to, job.worker or '', job.token or '')
  if not job.followUpID then close(id, job, to) end
  if job.deleting then bury(id, job, now) end
end

-- Out of the worker's hands.
local function let_run_go(id, job, now)
  call('SREM', key_held(job.worker), id)
  if job.holds then free(id, job, now) end
end

-- Ends a run.
local function end_run(id, job, to, fields, now)
  over(id, job, to, fields, now)
  let_run_go(id, job, now)
end

-- Ends a job that waits, wherever it waits. An offer of it that is on its way is refused at the claim.
local function end_waiting(id, job, to, fields, now)
  if job.blockers or job.awaits then
    call('HDEL', key_job(id), 'blockers', 'awaits')
  else
    take_out(id, job, now)
    refill(now)
  end
  if job.expiresAt then call('ZREM', root .. 'expiring', id) end
  over(id, job, to, fields, now)
end

local function children_failed(count)
  return '{"type":"ChildrenFailed","message":"' .. count .. ' of its children did not succeed"}'
end

-- Asks for the end of a job: one that waits ends at once, the worker of one that runs is told. `fields` say who and why.
local function stop(id, job, fields, now)
  if job.status == 'waiting' then return end_waiting(id, job, 'cancel', fields, now) end
  call('HSET', key_job(id), 'status', 'cancel_request', 'lastUpdated', text(now), unpack(fields))
  move(id, job, 'cancel_request', job.worker, job.token)
  -- Losing this costs a fifth of a lease: the next beat tells the same.
  call('PUBLISH', root .. 'hints:' .. job.worker, 'beat')
end
