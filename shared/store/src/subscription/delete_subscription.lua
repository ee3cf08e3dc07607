-- delete_subscription: deletes a subscription; jobs that were to deliver its messages find that out
-- when they run.
-- One script, so that it is whole or gone, and the cursor in the stream of events goes with the
-- last one.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  name  string  of the subscription
-- Answers  {'deleted'}
--          {'gone'}     no such subscription; nothing is written
-- flags: allow-oom
-- include: subscription_keys

local name = ARGV[1]
if call('EXISTS', key_subscription(name)) == 0 then return { 'gone' } end

call('DEL', key_subscription(name), key_deliveries(name))
call('SREM', root .. 'subscriptions', name)
if call('EXISTS', root .. 'subscriptions') == 0 then call('DEL', root .. 'subscriptions:cursor') end
return { 'deleted' }
