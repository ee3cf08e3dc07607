-- pause_subscription: pauses or resumes a subscription. Events that occur while it is paused are
-- not delivered later.
-- One script, so that a receiver that says it is gone pauses the subscription it was sent by, and
-- not one that was set meanwhile.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  name    string  of the subscription
-- ARGV[2]  paused  int     1 to pause it, 0 to resume it
-- ARGV[3]  id      string  its id as it was read; '' for any
-- ARGV[4]  seen    string  its revision as it was read; '' for any
-- Answers  {'set'}
--          {'unchanged'}  nothing is written
--          {'conflict'}   it is another by now; nothing is written
--          {'gone'}       no such subscription
-- flags: allow-oom
-- include: subscription_keys, last_event, clock, digits

local key = key_subscription(ARGV[1])
local was = call('HMGET', key, 'id', 'revision', 'paused')
if not was[1] then return { 'gone' } end
if ARGV[3] ~= '' and (was[1] ~= ARGV[3] or was[2] ~= ARGV[4]) then return { 'conflict' } end
if was[3] == ARGV[2] then return { 'unchanged' } end

if ARGV[2] == '0' then call('HSET', key, 'since', last_event()) end
call('HSET', key, 'paused', ARGV[2], 'lastUpdated', digits(now_ms()))
call('HINCRBY', key, 'revision', 1)
return { 'set' }
