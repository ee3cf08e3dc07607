-- change: waiting -> waiting, with another priority or at another time.
-- One script, so that a job that is claimed meanwhile is not changed, and a changed job waits in
-- the right place.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  id        string  the job
-- ARGV[2]  priority  string  'high', 'normal', 'low', or '' to leave it
-- ARGV[3]  at        int     scheduledAt in ms, or '' to leave it
-- ARGV[4]  spec      JSON    the spec with the new priority, or '' to leave it
-- ARGV[5]  was       JSON    the spec from which that was made
-- Answers  {'changed'}
--          {'refused', status}         it does not wait, or only for its children or a signal;
--                                      nothing is written
--          {'too_late', expiresAt}     it would expire before; nothing is written
--          {'too_many_queues', queue}  nothing is written
--          {'overtaken'}               it has another spec than ARGV[5]; nothing is written
--          {'gone'}                    no such job
-- include: read_job, route, withdraw_job, withdraw_offer, schedule_job, emit_job
-- include: count_waiting, members, write_changes, job_keys, relation_keys, clock, digits

local id, now = ARGV[1], now_ms()
local job = read_job(id)
if not job then return { 'gone' } end
if job.status ~= 'waiting' or job.awaitsChildren or job.awaitedSignal then
  return { 'refused', job.status }
end
local priority = ARGV[2] ~= '' and ARGV[2] or job.priority
local at = ARGV[3] ~= '' and ARGV[3] or job.scheduledAt
if job.expiresAt and tonumber(at) >= tonumber(job.expiresAt) then
  return { 'too_late', job.expiresAt }
end
if priority == job.priority and at == job.scheduledAt then return { 'changed' } end
if ARGV[4] ~= '' and call('HGET', key_job(id), 'spec') ~= ARGV[5] then return { 'overtaken' } end
local kind = { class = job.class, action = job.action, priority = priority, owner = job.owner }
local excess = open_queues({ kind }, now)
if excess then return { 'too_many_queues', excess } end

if not job.blockers then withdraw_job(id, job, now) end
job.priority, job.scheduledAt = priority, at
call('HSET', key_job(id), 'scheduledAt', at, 'lastUpdated', digits(now))
if priority == 'normal' then
  call('HDEL', key_job(id), 'priority')
else
  call('HSET', key_job(id), 'priority', priority)
end
if ARGV[4] ~= '' then
  count_waiting(id, job, -1)
  call('HSET', key_job(id), 'spec', ARGV[4])
  count_waiting(id, job, 1)
end
add_member(key_status('waiting'), at, id)
add_member(key_action(job.action), at, id)
if job.parentGroup then call('ZADD', key_child_jobs(job.parentGroup), at, id) end
if not job.blockers then schedule_job(id, job, now) end
refill_offers(now)
emit_job(id, job.number, job.action, 'waiting', '', '')
write_changes()
return { 'changed' }
