-- forget_queue: the broker has a retired queue no more, so workers stop consuming it.
-- One script, so that a queue that is in use again stays announced: the relay announces it only
-- once.
-- KEYS[1]  root   string  the namespace
-- ARGV[1]  queue  string  its name
-- Answers  {'forgotten'}
--          {'in_use'}  nothing is written
-- flags: allow-oom

if call('HEXISTS', root .. 'routing', 'queue:' .. ARGV[1]) == 1 then return { 'in_use' } end
call('SREM', root .. 'declared', ARGV[1])
call('PUBLISH', root .. 'hints', 'queues')
return { 'forgotten' }
