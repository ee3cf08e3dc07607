-- retry: a job that is over gets a follow-up because somebody asks for it.
-- One script, so that asking twice does not create two: the record names its follow-up in the same
-- step.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  id      string  the job
-- ARGV[2]  new_id  string  for the follow-up
-- Answers  {'created'}
--          {'followed', id}     it has a follow-up already; nothing is written
--          {'taken', id}        a job that is not over has its unique key; nothing is written
--          {'refused', status}  it is not over, or deleted; nothing is written
--          {'quota_exceeded', …}  as in submit.lua; nothing is written
--          {'gone'}             no such job
-- include: read_job, job_status, exceeded_quota, follow_up, write_changes, job_keys, clock

local id, new_id = ARGV[1], ARGV[2]
local job = read_job(id)
if not job then return { 'gone' } end
if not is_final(job) or job.status == 'deleted' then return { 'refused', job.status } end
if job.followUpID == new_id then return { 'created' } end
if job.followUpID then return { 'followed', job.followUpID } end
local holder = job.uniqueKey and call('GET', key_unique(job.uniqueKey))
if holder then return { 'taken', holder } end

local text = call('HGET', key_job(id), 'spec')
local spec, exceeded = cjson.decode(text), exceeded_quota(job.owner or '', 1, #text)
if exceeded then return exceeded end

call('HSET', key_job(id), 'followUpID', new_id)
follow_up(id, job, new_id, { retriesLeft = spec.retries or 0, crashes = 0, delay_ms = 0 }, now_ms())
-- A retry by hand starts without what went wrong earlier.
call('HDEL', key_job(new_id), 'failedChildren', 'heldBack')
write_changes()
return { 'created' }
