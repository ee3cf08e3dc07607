-- run_cron: a job of a cron because somebody asked for it, whatever its line says, paused or not. Its next tick stays.
-- One script, so that the cron is the one that the job was made from, and knows it as its own. The id is the caller's:
-- asked again, it is the same job.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  limit     int     how many queues a namespace may have
-- ARGV[2]  name      string  of the cron
-- ARGV[3]  revision  string  of the cron that the job was made from
-- ARGV[4…] the firing: kind ('run'), id, tick, missed, due at, class, priority, action, retries, spec as JSON, locks, share
-- Answers  {'made'}
--          {'moved'}                   its revision is another, or it is gone; nothing is written
--          {'too_many_queues', queue}  nothing is written

local name, firing = ARGV[2], firing_at(4)
if call('HGET', key_cron(name), 'revision') ~= ARGV[3] then return { 'moved' } end

if not make(name, firing, tonumber(ARGV[1]), now_ms()) then
  return { 'too_many_queues', firing.class .. '.' .. firing.priority }
end
return { 'made' }
