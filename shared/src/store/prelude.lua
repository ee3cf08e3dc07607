-- prelude: joined in front of every script: the clock, the keys, and the moves that more than one script makes.
-- KEYS[1] root string the namespace's hash tag, `{ns}:`; every key of the namespace begins with it, so that
-- all of them are in one cluster slot. Key names are made here and, for plain reads, in keys.rs; a test compares.

local root = KEYS[1]
local call = redis.call

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A whole number as text: tostring would write one of 15 digits as 2.5e+14, and a number that is given to several
-- commands is written out for each of them.
local function text(number) return string.format('%.0f', number) end

local function key_job(id) return root .. 'job:' .. id end
local function key_spec(id) return root .. 'spec:' .. id end
local function key_log(id) return root .. 'log:' .. id end
local function key_status(status) return root .. 'jobs:status:' .. status end
local function key_action(action) return root .. 'jobs:action:' .. action end
local function key_jobs_of(worker) return root .. 'jobs:worker:' .. worker end
local function key_ready(class, priority) return root .. 'ready:' .. class .. '.' .. priority end
local function key_worker(worker) return root .. 'worker:' .. worker end
local function key_held(worker) return root .. 'held:' .. worker end
-- A cron's jobs that may not be over yet.
local function key_cron_jobs(name) return root .. 'cron_jobs:' .. name end
local function key_unique(key) return root .. 'unique:' .. key end
local function key_once(id) return root .. 'once:' .. id end

-- Every change of a job is told once, in the step that makes it.
local function emit(id, number, action, status, worker, token)
  call('XADD', root .. 'events', 'MAXLEN', '~', 10000, '*', 'job', id, 'number', number,
    'action', action, 'status', status, 'worker', worker, 'token', token)
end

-- Those of these queues that no job has used before.
local function fresh_queues(queues)
  local fresh = {}
  for _, queue in ipairs(queues) do
    if call('SISMEMBER', root .. 'queues', queue) == 0 then fresh[#fresh + 1] = queue end
  end
  return fresh
end

-- Counts queues in; the relay declares them, and tells the workers then.
local function add_queues(fresh)
  if #fresh > 0 then call('SADD', root .. 'queues', unpack(fresh)) end
end

-- The one door to RabbitMQ: the relay publishes what stands in the outbox.
local function offer(id, job, now)
  call('ZADD', key_ready(job.class, job.priority), text(now), id)
  call('XADD', root .. 'outbox', '*', 'job', id, 'class', job.class, 'priority', job.priority,
    'scheduledAt', job.scheduledAt)
end

-- What a job keeps beyond its first record: it is handed on to the job that carries it on.
local lasting = { 'uniqueKey', 'onWorkerLost', 'backoffBase', 'backoffMax', 'cron' }

-- Writes a waiting job with all its indexes; `job` has the fields of its hash (scheduledAt as text), `spec` is what was asked.
local function create(id, job, spec, now)
  local number = text(call('INCR', root .. 'number'))
  local at, moment = job.scheduledAt, text(now)
  local fields = { 'number', number, 'status', 'waiting', 'createdAt', moment, 'lastUpdated', moment }
  for name, value in pairs(job) do
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  call('HSET', key_job(id), unpack(fields))
  call('SET', key_spec(id), spec)
  call('ZADD', root .. 'jobs', at, id)
  call('ZADD', root .. 'jobs:number', number, id)
  call('ZADD', key_status('waiting'), at, id)
  call('ZADD', key_action(job.action), at, id)
  if job.uniqueKey then call('SET', key_unique(job.uniqueKey), id) end
  if job.expiresAt then call('ZADD', root .. 'expiring', job.expiresAt, id) end
  emit(id, number, job.action, 'waiting', '', '')
  if tonumber(at) > now then
    call('ZADD', root .. 'due', at, id)
  else
    offer(id, job, now)
  end
  return number
end

-- The fields of a record that a move needs, by name; nil when there is no such job.
local function record(id)
  local values = call('HMGET', key_job(id), 'status', 'token', 'number', 'action', 'class', 'priority',
    'scheduledAt', 'workerID', 'attempt', 'retriesLeft', 'crashes', 'uniqueKey', 'expiresAt', 'deleting')
  if not values[1] then return nil end
  return {
    status = values[1], token = values[2], number = values[3], action = values[4], class = values[5],
    priority = values[6], scheduledAt = values[7], worker = values[8],
    attempt = tonumber(values[9] or 1), retriesLeft = tonumber(values[10] or 0),
    crashes = tonumber(values[11] or 0), uniqueKey = values[12], expiresAt = values[13], deleting = values[14],
  }
end

local function is_running(job) return job.status == 'running' or job.status == 'cancel_request' end

-- Moves a job between the indexes by status and tells it.
local function move(id, job, to, worker, token)
  call('ZREM', key_status(job.status), id)
  call('ZADD', key_status(to), job.scheduledAt, id)
  emit(id, job.number, job.action, to, worker, token)
  job.status = to
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
  return create(new_id, fields, call('GET', key_spec(id)), now)
end

-- Takes a job that is over out of the store, with its log.
local function remove(id, job)
  call('DEL', key_job(id), key_spec(id), key_log(id))
  call('ZREM', root .. 'jobs', id)
  call('ZREM', root .. 'jobs:number', id)
  call('ZREM', key_status(job.status), id)
  call('ZREM', key_action(job.action), id)
  if job.worker then call('ZREM', key_jobs_of(job.worker), id) end
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

-- The end of a job, from wherever it was: `fields` (name, value, …) say how it ended. Its follow-up, if any, is there.
local function over(id, job, to, fields, now)
  local moment = text(now)
  call('HSET', key_job(id), 'status', to, 'lastUpdated', moment, 'finishedAt', moment, unpack(fields))
  if job.uniqueKey and call('GET', key_unique(job.uniqueKey)) == id then call('DEL', key_unique(job.uniqueKey)) end
  move(id, job, to, job.worker or '', job.token or '')
  if job.deleting then bury(id, job, now) end
end

-- Ends a run: out of the worker's hands.
local function end_run(id, job, to, fields, now)
  call('SREM', key_held(job.worker), id)
  over(id, job, to, fields, now)
end

-- Ends a job that waits, wherever it waits. An offer of it that is on its way is refused at the claim.
local function end_waiting(id, job, to, fields, now)
  call('ZREM', root .. 'due', id)
  call('ZREM', key_ready(job.class, job.priority), id)
  if job.expiresAt then call('ZREM', root .. 'expiring', id) end
  over(id, job, to, fields, now)
end

-- Asks for the end of a job: one that waits ends at once, the worker of one that runs is told. `fields` say who and why.
local function stop(id, job, fields, now)
  if job.status == 'waiting' then return end_waiting(id, job, 'cancel', fields, now) end
  call('HSET', key_job(id), 'status', 'cancel_request', 'lastUpdated', text(now), unpack(fields))
  move(id, job, 'cancel_request', job.worker, job.token)
  -- Losing this costs a fifth of a lease: the next beat tells the same.
  call('PUBLISH', root .. 'hints:' .. job.worker, 'beat')
end
