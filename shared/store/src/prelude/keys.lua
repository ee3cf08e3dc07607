-- keys: the first part of the prelude, which is joined in front of every script: the clock, the keys, the record of a job.
-- The other parts: offers.lua (how a ready job is offered), locks.lua (who holds and who stands in line), life.lua (how a
-- job begins and ends), settle.lua (what hangs on an end); and for some scripts relations.lua, crons.lua, subscriptions.lua.
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
-- Jobs of one share of a queue that are ready but not offered yet.
local function key_backlog(share) return root .. 'backlog:' .. share end
-- Who holds a lock, with how many permits; and who stands in line for it.
local function key_lock(name) return root .. 'lock:' .. name end
local function key_line(name) return root .. 'line:' .. name end
-- Jobs that wait for this one.
local function key_dependents(id) return root .. 'dependents:' .. id end
-- A family: a job with all that carry it on; its children, those that are not over, and all of them.
local function key_children(family) return root .. 'children:' .. family end
local function key_family(family) return root .. 'jobs:family:' .. family end

-- Every change of a job is told once, in the step that makes it.
local function emit(id, number, action, status, worker, token)
  call('XADD', root .. 'events', 'MAXLEN', '~', 10000, '*', 'job', id, 'number', number,
    'action', action, 'status', status, 'worker', worker, 'token', token)
end

-- What somebody did to a lock, or to a pause, which is one.
local function emit_lock(name, change, value)
  call('XADD', root .. 'events', 'MAXLEN', '~', 10000, '*', 'lock', name, 'change', change, 'value', value)
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

-- What was asked for, as JSON.
local function spec_of(id) return call('HGET', key_job(id), 'spec') end

-- The fields of a record that a move needs, by name; nil when there is no such job.
local function record(id)
  local values = call('HMGET', key_job(id), 'status', 'token', 'number', 'action', 'class', 'priority',
    'scheduledAt', 'workerID', 'attempt', 'retriesLeft', 'crashes', 'uniqueKey', 'expiresAt', 'deleting',
    'share', 'locks', 'holds', 'inLine', 'next', 'blockers', 'family', 'parent', 'awaits', 'followUpID')
  if not values[1] then return nil end
  return {
    status = values[1], token = values[2], number = values[3], action = values[4], class = values[5],
    priority = values[6] or 'normal', scheduledAt = values[7], worker = values[8],
    attempt = tonumber(values[9] or 1), retriesLeft = tonumber(values[10] or 0),
    crashes = tonumber(values[11] or 0), uniqueKey = values[12], expiresAt = values[13], deleting = values[14],
    share = values[15], locks = values[16], holds = values[17], inLine = values[18], next = values[19],
    blockers = values[20], family = values[21], parent = values[22], awaits = values[23], followUpID = values[24],
  }
end

local function is_running(job) return job.status == 'running' or job.status == 'cancel_request' end
local function is_final(job) return job.status ~= 'waiting' and not is_running(job) end

-- The last of the jobs that carry this one on, and its id.
local function last_of(id)
  local job = record(id)
  while job and job.followUpID do
    local follower = record(job.followUpID)
    if not follower then break end
    id, job = job.followUpID, follower
  end
  return job, id
end

-- Moves a job between the indexes by status and tells it.
local function move(id, job, to, worker, token)
  call('ZREM', key_status(job.status), id)
  call('ZADD', key_status(to), job.scheduledAt, id)
  emit(id, job.number, job.action, to, worker, token)
  job.status = to
end
