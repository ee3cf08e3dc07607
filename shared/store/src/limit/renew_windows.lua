-- renew_windows: gives a calendar limit the ends of its next windows, unless it was changed since it
-- was read. That changes no window that has begun, so no waiter is woken.
-- One script, so that it does not undo a change.
-- KEYS[1]  root   string  the namespace
-- ARGV[1]  name   string  the name of the limit
-- ARGV[2]  known  string  the limit as it was read
-- ARGV[3]  limit  string  the same with the ends of the next windows
-- Answers  {'renewed'}
--          {'changed'}  the limit is another one, or deleted; nothing is written
-- flags: allow-oom

if call('HGET', root .. 'limits', ARGV[1]) ~= ARGV[2] then return { 'changed' } end

call('HSET', root .. 'limits', ARGV[1], ARGV[3])
return { 'renewed' }
