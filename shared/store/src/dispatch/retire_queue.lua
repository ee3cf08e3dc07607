-- retire_queue: takes a queue out of use when no job waits in it and none was offered through it
-- for a while.
-- One script, so that a job that is offered meanwhile keeps its queue.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  queue   string  its name
-- ARGV[2]  unused  int     how long no job was offered through it, ms
-- Answers  {'retired'}
--          {'in_use'}  nothing is written
--          {'gone'}    it is not in use; nothing is written
-- flags: allow-oom
-- include: count_in, queue_keys, clock

local queue, before = ARGV[1], now_ms() - ARGV[2]
local since = call('HGET', root .. 'routing', 'queue:' .. queue)
if not since then return { 'gone' } end
local offered = call('HGET', root .. 'claimed_up_to', queue) or 0
local waits = call('EXISTS', key_ready(queue)) == 1 or call('HEXISTS', root .. 'parked', queue) == 1
if waits or math.max(tonumber(since), tonumber(offered)) > before then return { 'in_use' } end

call('HDEL', root .. 'routing', 'queue:' .. queue, 'window:' .. queue)
call('HDEL', root .. 'queue_owners', queue)
call('HDEL', root .. 'claimed_up_to', queue)
count_in(string.find(queue, '@', 1, true) and 'action_queues' or 'shared_queues', -1)
return { 'retired' }
