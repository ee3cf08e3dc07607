-- pause_subscription: a subscription hears of nothing until it is resumed, and then of what comes from then on.
-- One script, so that a receiver that says it is gone pauses what it was sent by, and not what was set meanwhile.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  name    string  of the subscription
-- ARGV[2]  paused  int     1 to pause it, 0 to resume it
-- ARGV[3]  id      string  its identity as it was seen; '' for whatever is there
-- ARGV[4]  seen    string  its revision as it was seen; '' likewise
-- Answers  {'set'}
--          {'same'}   it was so already; nothing is written
--          {'moved'}  it is another by now; nothing is written
--          {'gone'}   there is none

local key = key_subscription(ARGV[1])
local was = call('HMGET', key, 'id', 'revision', 'paused')
if not was[1] then return { 'gone' } end
if ARGV[3] ~= '' and (was[1] ~= ARGV[3] or was[2] ~= ARGV[4]) then return { 'moved' } end
if was[3] == ARGV[2] then return { 'same' } end

if ARGV[2] == '0' then call('HSET', key, 'since', last_event()) end
call('HSET', key, 'paused', ARGV[2], 'lastUpdated', text(now_ms()))
call('HINCRBY', key, 'revision', 1)
return { 'set' }
