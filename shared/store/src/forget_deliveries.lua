-- forget_deliveries: messages whose jobs have all come to their end are on their way no more.
-- One script, so that one that is tried again meanwhile stays. What was delivered is forgotten when that is told; this finds
-- what failed for good, was cancelled, or has left the history. It looks at some, others each time.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  most  int     how many are looked at
-- Answers  {'forgotten', count}

local names = call('SMEMBERS', root .. 'subscriptions')
local each, count = math.max(1, math.floor(tonumber(ARGV[1]) / math.max(1, #names))), 0
for _, name in ipairs(names) do
  for _, id in ipairs(call('SRANDMEMBER', key_deliveries(name), each)) do
    local job = last_of(id)
    if not job or is_final(job) then
      call('SREM', key_deliveries(name), id)
      count = count + 1
    end
  end
end
return { 'forgotten', text(count) }
