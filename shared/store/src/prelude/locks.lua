
-- locks: who holds one and who stands in line for it. A claim takes all locks of a job or none; the script that ends the
-- run frees them. A job that found one held stands in its line, by priority and then by scheduledAt, and keeps its
-- place until it runs. The limits and pauses of an action or a class are locks too: `action:scan`, `class:cpu=2`.
--
-- No deadlock: locks are held by running jobs only, which wait for none, and all lines have the same order.
-- No lost wake-up: whatever lets somebody have a turn (a lock freed or cleared, permits set, the first in line gone or
-- started) calls `wake` in the same script, and `wake` offers all whose turn it is. One that does not use its turn,
-- because no worker fits it, gives up its place after a while (`turns`, looked after by due.lua), and the next is woken.

local most_turns, most_walked, turn_ms = 16, 64, 2000

-- `devices=1 licence=2` as {name, need}s.
local function needs_in(list)
  local needs = {}
  for name, need in string.gmatch(list or '', '(%S+)=(%d+)') do needs[#needs + 1] = { name = name, need = tonumber(need) } end
  return needs
end

local known_permits = {}
local function permits(name)
  if known_permits[name] then return known_permits[name] end
  local limit = call('HGET', root .. 'permits', name)
  local action = string.match(name, '^(action:[^:]+):')
  if not limit and action then limit = call('HGET', root .. 'permits', action .. ':*') end
  local free_for_all = string.match(name, '^action:') or string.match(name, '^class:')
  local all = limit and tonumber(limit) or free_for_all and math.huge or 1
  if free_for_all and call('SISMEMBER', root .. 'paused', name) == 1 then all = 0 end
  known_permits[name] = all
  return all
end

local function held(name) return tonumber(call('HGET', root .. 'held', name) or 0) end

-- What a job has to have before it runs: its own locks, and those of its action and class when these are limited.
local function needs_of(job)
  local needs = needs_in(job.locks)
  for _, name in ipairs({ 'action:' .. job.action, 'class:' .. job.class }) do
    if permits(name) < math.huge then needs[#needs + 1] = { name = name, need = 1 } end
  end
  return needs
end

local function need_of(id, name)
  for _, lock in ipairs(needs_in(call('HGET', key_job(id), 'locks'))) do
    if lock.name == name then return lock.need end
  end
  return 1
end

-- Whose turn it is: the first in line that fit, one after the other, into what is free. One that needs more permits than
-- there are holds up nobody.
local function turns(name)
  local all, found = permits(name), {}
  local left = all - held(name)
  for _, id in ipairs(call('ZRANGE', key_line(name), 0, most_walked - 1)) do
    local need = need_of(id, name)
    if need <= all then
      if need > left or #found == most_turns then break end
      left = left - need
      found[#found + 1] = id
      found[id] = true
    end
  end
  return found
end

local function is_ready(id, job) return call('ZSCORE', key_ready(job.class, job.priority), id) end

local function names_in(list)
  local names = {}
  for name in string.gmatch(list or '', '%S+') do names[#names + 1] = name end
  return names
end

local function count_parked(job, by)
  local queue = queue_of(job)
  if call('HINCRBY', root .. 'parked', queue, by) == 0 then call('HDEL', root .. 'parked', queue) end
end

local function line_score(job)
  local bands = { high = 0, normal = 1, low = 2 }
  return text(bands[job.priority] * 3e14 + job.scheduledAt)
end

local function leave_line(id, name)
  call('ZREM', key_line(name), id)
  if call('EXISTS', key_line(name)) == 0 then call('SREM', root .. 'lines', name) end
end

-- A job leaves the line of one lock.
local function step_out(id, job, name)
  leave_line(id, name)
  local rest = {}
  for _, other in ipairs(names_in(job.inLine)) do
    if other ~= name then rest[#rest + 1] = other end
  end
  job.inLine = #rest > 0 and table.concat(rest, ' ')
  if job.inLine then call('HSET', key_job(id), 'inLine', job.inLine) else call('HDEL', key_job(id), 'inLine') end
end

local wake

-- Nobody has to wait for this any more: some of those in line go, the ticker comes for the others.
local function let_go(name, now)
  local some = call('ZRANGE', key_line(name), 0, most_walked - 1)
  for _, id in ipairs(some) do
    local job = record(id)
    local ready = is_ready(id, job)
    step_out(id, job, name)
    if not ready and not job.inLine then
      count_parked(job, -1)
      offer(id, job, now)
    end
    for _, other in ipairs(names_in(job.inLine)) do wake(other, now) end
  end
  if call('EXISTS', key_line(name)) == 1 then call('ZADD', root .. 'turns', text(now), name) end
end

-- Offers those whose turn it is.
function wake(name, now)
  if call('EXISTS', key_line(name)) == 0 then return end
  if permits(name) == math.huge then return let_go(name, now) end
  for _, id in ipairs(turns(name)) do
    local job = record(id)
    local ready, everywhere = is_ready(id, job), true
    for _, other in ipairs(names_in(job.inLine)) do
      everywhere = everywhere and (other == name or turns(other)[id])
    end
    if not ready and everywhere then
      count_parked(job, -1)
      admit(id, job, now)
    end
    if ready or everywhere then
      for _, other in ipairs(names_in(job.inLine)) do
        call('ZADD', root .. 'turns', 'NX', text(now + turn_ms), other)
      end
    end
  end
end

-- Those who had their turn and did not use it step out of line; they stay offered.
local function end_turns(name, now)
  call('ZREM', root .. 'turns', name)
  for _, id in ipairs(turns(name)) do
    local job = record(id)
    local since = is_ready(id, job)
    if since and tonumber(since) <= now - turn_ms then step_out(id, job, name) end
  end
  wake(name, now)
end

-- Takes a job that waits out of the offers, or of where it waits for its time or behind its share. True when it stood there,
-- and so in no line alone.
local function leave_stand(id, job)
  return leave_ready(id, job) or call('ZREM', root .. 'due', id) == 1 or call('ZREM', key_backlog(share_of(job)), id) == 1
end

-- Takes a job that waits out of wherever it stands.
local function take_out(id, job, now)
  local stood = names_in(job.inLine)
  if not leave_stand(id, job) and job.inLine then count_parked(job, -1) end
  for _, name in ipairs(stood) do step_out(id, job, name) end
  for _, name in ipairs(stood) do wake(name, now) end
end

-- The lock that keeps a job from starting, if one does; the job stands in line then.
local function find_busy(id, job, needs, now)
  local stands, busy = {}, {}
  for _, name in ipairs(names_in(job.inLine)) do stands[name] = true end
  for _, lock in ipairs(needs) do
    local name, line = lock.name, key_line(lock.name)
    local stood = stands[name]
    if not stood and (lock.need > permits(name) - held(name) or call('EXISTS', line) == 1) then
      call('ZADD', line, line_score(job), id)
      call('SADD', root .. 'lines', name)
      stood = 'new'
    end
    if stood and not turns(name)[id] then
      busy[#busy + 1] = name
    elseif stood == 'new' then
      leave_line(id, name)
    end
  end
  if #busy == 0 then return nil end

  if leave_stand(id, job) or not job.inLine then count_parked(job, 1) end
  local names = names_in(job.inLine)
  for _, name in ipairs(busy) do
    if not stands[name] then names[#names + 1] = name end
  end
  call('HSET', key_job(id), 'inLine', table.concat(names, ' '))
  return busy[1]
end

-- Sets how many may hold a lock; '' for what it has when nothing is said. Those whose turn it is by then are woken; those
-- of an action's keys, `action:scan:*`, by the ticker.
local function set_permits(name, count, now)
  if count == '' then
    call('HDEL', root .. 'permits', name)
  else
    call('HSET', root .. 'permits', name, count)
  end
  known_permits = {}
  local keys = string.match(name, '^(.*:)%*$')
  if keys then
    for _, line in ipairs(call('SMEMBERS', root .. 'lines')) do
      if string.sub(line, 1, #keys) == keys then call('ZADD', root .. 'turns', text(now), line) end
    end
  else
    wake(name, now)
  end
  emit_lock(name, 'permits', count)
end

-- Takes the locks of a job that starts.
local function hold(id, needs)
  local holds = {}
  for _, lock in ipairs(needs) do
    call('HSET', key_lock(lock.name), id, lock.need)
    call('HINCRBY', root .. 'held', lock.name, lock.need)
    holds[#holds + 1] = lock.name .. '=' .. lock.need
  end
  if #holds > 0 then call('HSET', key_job(id), 'holds', table.concat(holds, ' ')) end
end

-- Frees what a job still holds; what was taken from it by hand is another's by now.
local function free(id, job, now)
  for _, lock in ipairs(needs_in(job.holds)) do
    if call('HDEL', key_lock(lock.name), id) == 1 then
      if call('HINCRBY', root .. 'held', lock.name, -lock.need) == 0 then call('HDEL', root .. 'held', lock.name) end
      wake(lock.name, now)
    end
  end
end
