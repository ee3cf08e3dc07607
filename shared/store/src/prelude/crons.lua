-- cron_prelude: joined behind the prelude in front of every script about crons: keys, and the moves that more than
-- one of them makes. A cron's hash says what it is; `crons` has when each is to be looked at next, `cron_names` all.

local function key_cron(name) return root .. 'cron:' .. name end
-- Its firings that wait for an earlier job to be over, `tick:missed`, oldest first.
local function key_cron_held(name) return root .. 'cron_held:' .. name end

local unfinished = { waiting = true, running = true, cancel_request = true }

-- The one job, of this one and those that carry it on, that is not over yet.
local function living(id)
  while id do
    local job = call('HMGET', key_job(id), 'status', 'followUpID')
    if unfinished[job[1]] then return id end
    id = job[2]
  end
end

-- So many jobs of a cron are looked at in one step.
local most_looked_at = 100

-- Which of these jobs of a cron are not over; the others are forgotten.
local function living_jobs(name, ids)
  local found = {}
  for _, id in ipairs(ids) do
    local now_it_is = living(id)
    if now_it_is ~= id then
      call('SREM', key_cron_jobs(name), id)
      if now_it_is then call('SADD', key_cron_jobs(name), now_it_is) end
    end
    if now_it_is then found[#found + 1] = now_it_is end
  end
  return found
end

-- Jobs of a cron that are not over, at most a hundred; never none while there may be one: of many that are looked at
-- some may be left for the next look.
local function some_living(name)
  local found = living_jobs(name, call('SRANDMEMBER', key_cron_jobs(name), most_looked_at))
  if #found == 0 and call('SCARD', key_cron_jobs(name)) > 0 then return { false } end
  return found
end

-- Asks for the end of a job, if it is not over.
local function request_cancel(id, now)
  local job = id and record(id)
  if job and (job.status == 'waiting' or job.status == 'running') then stop(id, job, {}, now) end
end

-- Every change of a cron is told once, in the step that makes it.
local function emit_cron(name, change, ...)
  call('XADD', root .. 'events', 'MAXLEN', '~', 10000, '*', 'cron', name, 'change', change, ...)
end

-- Ticks that get no job are counted, and the last of them says why.
local function skip(name, reason, count, tick, now)
  call('HINCRBY', key_cron(name), 'skipped', count)
  call('HSET', key_cron(name), 'skipReason', reason, 'skipTick', tick, 'skipCount', count, 'skipAt', text(now))
  emit_cron(name, 'skipped', 'reason', reason, 'tick', tick, 'count', count)
end

-- Makes the job of a firing; nothing when it is there already. False when there is no queue for it: it would be one
-- too many, or the need is too long for a class.
local function make(name, firing, limit, now)
  if call('EXISTS', key_job(firing.id)) == 1 then return true end
  if firing.class == '' then return false end
  local fresh = fresh_queues({ firing.class .. '.' .. firing.priority })
  if #fresh > 0 and call('SCARD', root .. 'queues') >= limit then return false end
  add_queues(fresh)
  local job = { action = firing.action, class = firing.class, priority = firing.priority, scheduledAt = firing.at, cron = name }
  if firing.retries ~= '0' then job.retriesLeft = firing.retries end
  if firing.locks ~= '' then job.locks = firing.locks end
  if firing.share ~= '' then job.share = firing.share end
  create(firing.id, job, firing.spec, now)
  call('SADD', key_cron_jobs(name), firing.id)
  call('HINCRBY', key_cron(name), 'fired', 1)
  call('HSET', key_cron(name), 'lastRun', firing.tick, 'lastJobID', firing.id)
  return true
end

-- A firing out of the arguments, from place `i` on; there are twelve of them.
local function firing_at(i)
  return {
    kind = ARGV[i], id = ARGV[i + 1], tick = ARGV[i + 2], missed = ARGV[i + 3], at = ARGV[i + 4],
    class = ARGV[i + 5], priority = ARGV[i + 6], action = ARGV[i + 7], retries = ARGV[i + 8], spec = ARGV[i + 9],
    locks = ARGV[i + 10], share = ARGV[i + 11],
  }
end
