-- forget_deliveries: forgets messages whose jobs are all over.
-- One script, so that a message that is tried again meanwhile stays. Delivered messages are
-- forgotten by record_attempt; this finds those that failed for good, were cancelled, or have left
-- the history. It looks at a random few each time.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  most  int     how many messages to look at
-- Answers  {'forgotten', count}
-- flags: allow-oom
-- include: subscription_keys, last_follow_up, job_status, try_step, digits

local names = call('SMEMBERS', root .. 'subscriptions')
local each, count = math.max(1, math.floor(tonumber(ARGV[1]) / math.max(1, #names))), 0
for _, name in ipairs(names) do
  for _, id in ipairs(call('SRANDMEMBER', key_deliveries(name), each)) do
    -- One whose job cannot be read is forgotten as well: it can never be delivered.
    local job = try_step(last_follow_up, id)
    if not job or is_final(job) then
      call('SREM', key_deliveries(name), id)
      count = count + 1
    end
  end
end
return { 'forgotten', digits(count) }
