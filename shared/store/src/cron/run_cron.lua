-- run_cron: creates a job of a cron on demand, paused or not. The next tick stays.
-- One script, so that the job is made from the current cron. The id is the caller's: a repeated
-- call means the same job.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  name      string  of the cron
-- ARGV[2]  revision  string  of the cron that the job was made from
-- ARGV[3]  firing    JSON    tick, job (as in submit.lua)
-- Answers  {'created'}
--          {'conflict'}                its revision is another, or it is gone; nothing is written
--          {'too_many_queues', queue}  nothing is written
--          {'quota_exceeded', …}       as in submit.lua; nothing is written
-- include: cron_keys, create_firing, write_changes, route, clock

local name, firing = ARGV[1], cjson.decode(ARGV[3])
if call('HGET', key_cron(name), 'revision') ~= ARGV[2] then return { 'conflict' } end

local missing, exceeded = create_firing(name, firing, now_ms())
write_changes()
if not missing then return { 'created' } end
if exceeded then return exceeded end
local fields = firing.job.fields
return { 'too_many_queues', fields.class and route_of(fields).queue or '.' .. fields.priority }
