-- run_cron: creates a job of a cron on demand, paused or not. The next tick stays.
-- One script, so that the job is made from the current cron. The id is the caller's: a repeated
-- call means the same job.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  limit     int     how many queues a namespace may have
-- ARGV[2]  name      string  of the cron
-- ARGV[3]  revision  string  of the cron that the job was made from
-- ARGV[4]  firing    JSON    tick, job (as in submit.lua)
-- Answers  {'created'}
--          {'conflict'}                its revision is another, or it is gone; nothing is written
--          {'too_many_queues', queue}  nothing is written
-- include: cron_keys, create_firing, queue_of, clock

local name, firing = ARGV[2], cjson.decode(ARGV[4])
if call('HGET', key_cron(name), 'revision') ~= ARGV[3] then return { 'conflict' } end

if create_firing(name, firing, tonumber(ARGV[1]), now_ms()) then return { 'created' } end
local fields = firing.job.fields
return { 'too_many_queues', fields.class and queue_of(fields) or '.' .. fields.priority }
