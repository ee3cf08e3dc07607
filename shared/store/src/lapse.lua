-- lapse: waiting -> error, for jobs that were not started before they expired.
-- One script, so that a job is either claimed in time or ended. The claim refuses those that this has not come to.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  max   int     how many to end at most
-- Answers  {'lapsed', count}

local now = now_ms()
local exception = '{"type":"Expired","message":"it was not started before it expired"}'
local ids = call('ZRANGE', root .. 'expiring', '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  local job = record(id)
  if job and job.status == 'waiting' then
    end_waiting(id, job, 'error', { 'exception', exception }, now)
  else
    call('ZREM', root .. 'expiring', id)
  end
end
return { 'lapsed', text(#ids) }
