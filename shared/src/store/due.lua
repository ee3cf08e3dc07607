-- due: waiting stays waiting, but a job whose time has come goes to the outbox.
-- One script, so that a job is either due later or on its way, never both or neither.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  max   int     how many to move at most
-- Answers  {'moved', count, wait}  wait is how many ms until the next one is due, -1 when none is

local now = now_ms()
local ids = call('ZRANGE', root .. 'due', '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  call('ZREM', root .. 'due', id)
  local job = record(id)
  if job and job.status == 'waiting' then offer(id, job, now) end
end
local following = call('ZRANGE', root .. 'due', 0, 0, 'WITHSCORES')
local wait = following[2] and math.max(0, following[2] - now) or -1
return { 'moved', text(#ids), text(wait) }
