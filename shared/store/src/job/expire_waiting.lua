-- expire_waiting: waiting -> error, for jobs that were not started before they expired; waiting ->
-- done with a follow-up, for those whose signal was not sent in time.
-- One script, so that a job is either claimed in time or ended. A claim refuses an expired job that
-- this script has not ended yet. One that cannot be read is tried again after a minute.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  max   int     how many jobs to end at most
-- Answers  {'expired', count, timed_out}  how many it has looked at, and how many of them waited
--                                         for a signal
-- flags: allow-oom
-- include: read_job, end_waiting, resume_job, members, write_changes, try_step, clock, digits

local now, timed_out = now_ms(), 0
local exception = '{"type":"Expired","message":"it was not started before it expired"}'
local ids = call('ZRANGE', root .. 'expiring', '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
local function expire(id)
  local job = read_job(id)
  local waits = job and job.status == 'waiting'
  if waits and job.awaitedSignal then
    resume_job(id, job, digits(now) .. ' timeout - {"timedOut":true}', now)
    timed_out = timed_out + 1
  elseif waits then
    end_waiting(id, job, 'error', { 'exception', exception }, now)
  else
    remove_member(root .. 'expiring', id)
  end
end
for _, id in ipairs(ids) do
  local _, why = try_reported(id, expire, id)
  if why then add_member(root .. 'expiring', digits(now + again_ms), id) end
end
write_changes()
return { 'expired', digits(#ids), digits(timed_out) }
