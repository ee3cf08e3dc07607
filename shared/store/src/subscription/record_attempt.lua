-- record_attempt: records how one attempt to deliver a message went, at its subscription.
-- One script, so that a message is counted once, however often its end is recorded, and nothing is
-- written to a subscription that is deleted.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  name     string  of the subscription
-- ARGV[2]  id       string  of the subscription
-- ARGV[3]  message  string  the first job that was to deliver it
-- ARGV[4]  outcome  string  'delivered'; 'failed', it may be tried again; 'dropped', it is not
--                           wanted any more
-- ARGV[5]  event    string  the event it reports
-- ARGV[6]  reason   string  of a failed attempt
-- Answers  {'recorded'}
--          {'gone'}      no such subscription; nothing is written
-- flags: allow-oom
-- include: subscription_keys, clock, digits

local key, outcome = key_subscription(ARGV[1]), ARGV[4]
if call('HGET', key, 'id') ~= ARGV[2] then return { 'gone' } end

local moment = digits(now_ms())
local was_open = outcome ~= 'failed' and call('SREM', key_deliveries(ARGV[1]), ARGV[3]) == 1
if outcome == 'delivered' then
  if was_open then call('HINCRBY', key, 'delivered', 1) end
  call('HSET', key, 'deliveredEvent', ARGV[5], 'deliveredAt', moment)
elseif outcome == 'failed' then
  call('HINCRBY', key, 'failed', 1)
  call('HSET', key, 'failedEvent', ARGV[5], 'failedAt', moment, 'failure', ARGV[6])
end
return { 'recorded' }
