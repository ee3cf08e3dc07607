-- delete_subscription: a subscription goes; jobs that were to deliver its messages find that out when they run.
-- One script, so that it is whole or gone, and that with the last one also the place goes up to which events were read.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  name  string  of the subscription
-- Answers  {'deleted'}
--          {'gone'}     there is none; nothing is written

local name = ARGV[1]
if call('EXISTS', key_subscription(name)) == 0 then return { 'gone' } end

call('DEL', key_subscription(name), key_deliveries(name))
call('SREM', root .. 'subscriptions', name)
if call('EXISTS', root .. 'subscriptions') == 0 then call('DEL', root .. 'subscriptions:heard') end
return { 'deleted' }
