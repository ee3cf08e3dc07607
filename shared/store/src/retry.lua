-- retry: a job that is over gets a follow-up, because somebody asks for it.
-- One script, so that asking twice does not make two: the record names its follow-up in the step that makes it.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  id      string  the job
-- ARGV[2]  new_id  string  for the follow-up
-- Answers  {'created'}
--          {'followed', id}    it has a follow-up already; nothing is written
--          {'taken', id}       a job that is not over has its unique key; nothing is written
--          {'refused', status} it is not over, or deleted; nothing is written
--          {'gone'}            no such job

local id, new_id = ARGV[1], ARGV[2]
local job = record(id)
if not job then return { 'gone' } end
if job.status == 'waiting' or job.status == 'deleted' or is_running(job) then return { 'refused', job.status } end
local known = call('HGET', key_job(id), 'followUpID')
if known == new_id then return { 'created' } end
if known then return { 'followed', known } end
local holder = job.uniqueKey and call('GET', key_unique(job.uniqueKey))
if holder then return { 'taken', holder } end

local spec = cjson.decode(spec_of(id))
call('HSET', key_job(id), 'followUpID', new_id)
follow_up(id, job, new_id, { retriesLeft = spec.retries or 0, crashes = 0, delay_ms = 0 }, now_ms())
-- Somebody has looked at the children that failed.
call('HDEL', key_job(new_id), 'failed')
return { 'created' }
