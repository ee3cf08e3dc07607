-- due: waiting -> waiting, but jobs whose time has come go to the outbox, and unused lock grants
-- expire.
-- One script, so that a job is either due later or on its way, never both or neither. A job or a
-- lock that cannot be read is tried again after a minute, and holds up no other.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  max   int     how many jobs to move at most
-- Answers  {'moved', count, wait}  ms until the next job is due or the next grant expires; -1 for
--                                  none
-- flags: allow-oom
-- include: read_job, offer, member_of, members, expire_grants, write_changes, try_step, clock
-- include: digits

local now = now_ms()
local due = call('ZRANGE', root .. 'due', '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
if #due > 0 then call('ZREM', root .. 'due', unpack(due)) end
local function move(id)
  local job = read_job(id)
  if job and job.status == 'waiting' then offer(id, job, now) end
end
for _, member in ipairs(due) do
  local _, why = try_reported(id_of(member), move, id_of(member))
  if why then add_member(root .. 'due', digits(now + again_ms), member) end
end
local locks = call('ZRANGE', root .. 'grants', '-inf', now, 'BYSCORE', 'LIMIT', 0, 10)
for _, name in ipairs(locks) do
  local _, why = try_reported('lock ' .. name, expire_grants, name, now)
  if why then call('ZADD', root .. 'grants', digits(now + again_ms), name) end
end
write_changes()
local function until_first_of(key)
  local first = call('ZRANGE', root .. key, 0, 0, 'WITHSCORES')[2]
  return digits(first and math.max(0, first - now) or -1)
end
local wait, grant = until_first_of('due'), until_first_of('grants')
if wait == '-1' or grant ~= '-1' and tonumber(grant) < tonumber(wait) then wait = grant end
return { 'moved', digits(#due + #locks), wait }
