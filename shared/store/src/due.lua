-- due: waiting stays waiting, but a job whose time has come goes to the outbox; whoever had a turn at a lock and did not
-- use it lets the next one have it.
-- One script, so that a job is either due later or on its way, never both or neither.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  max   int     how many to move at most
-- Answers  {'moved', count, wait, expiring}  how many ms until the next one is due or a turn is over, and until the next
--                                            one that waits expires; -1 when there is none

local now = now_ms()
local ids = call('ZRANGE', root .. 'due', '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  call('ZREM', root .. 'due', id)
  local job = record(id)
  if job and job.status == 'waiting' then offer(id, job, now) end
end
local lines = call('ZRANGE', root .. 'turns', '-inf', now, 'BYSCORE', 'LIMIT', 0, 10)
for _, name in ipairs(lines) do end_turns(name, now) end
local function until_first_of(key)
  local first = call('ZRANGE', root .. key, 0, 0, 'WITHSCORES')[2]
  return text(first and math.max(0, first - now) or -1)
end
local wait, turn = until_first_of('due'), until_first_of('turns')
if wait == '-1' or turn ~= '-1' and tonumber(turn) < tonumber(wait) then wait = turn end
return { 'moved', text(#ids + #lines), wait, until_first_of('expiring') }
