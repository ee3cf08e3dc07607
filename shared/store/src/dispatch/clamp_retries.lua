-- clamp_retries: waiting -> waiting, but a retry whose back-off began before the clock was set back
-- is due when the back-off ends by the new time, and a job that waits for room for its queue is due
-- now. A job with a time of its own keeps it. Repeating it makes nothing later.
-- One script, so that no job is moved that has just become ready.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  from  int     how many of the due jobs to leave out: earlier calls have looked at them
-- ARGV[2]  max   int     how many to look at
-- Answers  {'looked', count}  at how many; 0 when there are no more
-- flags: allow-oom
-- include: offer, job_keys, member_of, clock, digits

local from, max, now = tonumber(ARGV[1]), tonumber(ARGV[2]), now_ms()
local due = call('ZRANGE', root .. 'due', from, from + max - 1, 'WITHSCORES')
for i = 1, #due, 2 do
  local member, score = due[i], tonumber(due[i + 1])
  local job = call('HMGET', key_job(id_of(member)), 'createdAt', 'lastUpdated', 'scheduledAt',
    'retryFromID')
  local created, at = tonumber(job[1] or 0), tonumber(job[3] or 0)
  if score > at and score > now + no_queue_ms then
    call('ZADD', root .. 'due', 'LT', digits(now), member)
  elseif created > now and job[4] and job[1] == job[2] then
    call('ZADD', root .. 'due', 'LT', digits(now + at - created), member)
  end
end
return { 'looked', digits(#due / 2) }
