-- set_subscription: creates or changes a subscription; messages that are on their way stay.
-- One script, so that it receives exactly the events after it was created or resumed, the number of
-- subscriptions is bounded, and two callers at once both know which secret is in use. The previous
-- secret signs as well for a while.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  most     int     how many subscriptions a namespace may have
-- ARGV[2]  name     string  of the subscription
-- ARGV[3]  id       string  for a new one
-- ARGV[4]  spec     JSON    what it is
-- ARGV[5]  secret   string  to sign with; '' to leave it
-- ARGV[6]  fresh    string  the secret of a new one that was given none
-- ARGV[7]  paused   string  '1', '0', or '' to leave it
-- ARGV[8]  overlap  int     ms for which the previous secret stays in use
-- Answers  {'created'}
--          {'changed'}
--          {'unchanged'}               nothing is written
--          {'too_many_subscriptions'}  nothing is written
-- include: subscription_keys, last_event, clock, digits

local name, now = ARGV[2], now_ms()
local key = key_subscription(name)
local was = call('HMGET', key, 'id', 'spec', 'secret', 'paused')
local secret = ARGV[5] ~= '' and ARGV[5] or was[3] or ARGV[6]
local paused = ARGV[7] ~= '' and ARGV[7] or was[4] or '0'
if was[1] and was[2] == ARGV[4] and was[3] == secret and was[4] == paused then
  return { 'unchanged' }
end
if not was[1] and call('SCARD', root .. 'subscriptions') >= tonumber(ARGV[1]) then
  return { 'too_many_subscriptions' }
end

local moment = digits(now)
if not was[1] then
  call('SADD', root .. 'subscriptions', name)
  call('SET', root .. 'subscriptions:cursor', last_event(), 'NX')
  call('HSET', key, 'id', ARGV[3], 'createdAt', moment)
elseif was[3] ~= secret then
  call('HSET', key, 'previous', was[3], 'previousUntil', digits(now + ARGV[8]))
end
if was[4] ~= '0' and paused == '0' then call('HSET', key, 'since', last_event()) end
call('HSET', key, 'spec', ARGV[4], 'secret', secret, 'paused', paused, 'lastUpdated', moment)
call('HINCRBY', key, 'revision', 1)
return { was[1] and 'changed' or 'created' }
