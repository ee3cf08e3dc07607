-- notify: events -> jobs that deliver them, and the place up to which they are read on to the last of them.
-- One script, so that an event has one job for each who subscribed, whoever reads it twice and whoever dies: who comes second
-- finds the place moved. A subscription that was deleted or paused since it was looked at is left alone.
-- KEYS[1]  root   string  the namespace
-- ARGV[1]  limit  int     how many queues a namespace may have
-- ARGV[2]  most   int     how many messages of a subscription may be on their way
-- ARGV[3]  seen   string  the place up to which events were read, as it was seen
-- ARGV[4]  next   string  the place up to which they are read now
-- ARGV[5]  class  string  what such a job needs
-- ARGV[6]  kept   string  the first event behind `seen` that was still kept; '' when nothing was lost before it
-- ARGV[7]  count  int     of the names that follow: those who may have missed some of what was lost
-- ARGV[8…] names, then per message: name, id of the subscription, id for the job, spec as JSON, retries, count (of the next
--          arguments), further fields of the record: name, value, …
-- Answers  {'notified', made, dropped}  how many jobs were made, and how many were not because too many are on their way
--          {'moved'}                    somebody else was there first; nothing is written
--          {'too_many_queues', queue}   nothing is written

local limit, most, class, now = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[5], now_ms()
if call('GET', root .. 'subscriptions:heard') ~= ARGV[3] then return { 'moved' } end
local first = 8 + tonumber(ARGV[7])
local fresh = first <= #ARGV and fresh_queues({ class .. '.normal' }) or {}
if #fresh > 0 and call('SCARD', root .. 'queues') >= limit then return { 'too_many_queues', fresh[1] } end

add_queues(fresh)
local function living_one(name, id)
  local is = call('HMGET', key_subscription(name), 'id', 'paused')
  return is[1] and (id == nil or is[1] == id) and is[2] == '0'
end
for i = 8, first - 1 do
  if living_one(ARGV[i]) then
    call('HINCRBY', key_subscription(ARGV[i]), 'cuts', 1)
    call('HSET', key_subscription(ARGV[i]), 'cutAfter', ARGV[3], 'cutBefore', ARGV[6])
  end
end

-- A message that there is a job for is made none again.
local function wanted(i)
  return living_one(ARGV[i], ARGV[i + 1]) and call('EXISTS', key_job(ARGV[i + 2])) == 0
end
local function make(i)
  local job = { action = 'deliver', class = class, priority = 'normal', scheduledAt = text(now) }
  if ARGV[i + 4] ~= '0' then job.retriesLeft = ARGV[i + 4] end
  for j = i + 6, i + 5 + tonumber(ARGV[i + 5]), 2 do job[ARGV[j]] = ARGV[j + 1] end
  create(ARGV[i + 2], job, ARGV[i + 3], now)
  call('SADD', key_deliveries(ARGV[i]), ARGV[i + 2])
end
local made, dropped, i = 0, 0, first
while i <= #ARGV do
  if wanted(i) then
    if call('SCARD', key_deliveries(ARGV[i])) < most then
      make(i)
      made = made + 1
    else
      call('HINCRBY', key_subscription(ARGV[i]), 'dropped', 1)
      dropped = dropped + 1
    end
  end
  i = i + 6 + tonumber(ARGV[i + 5])
end
call('SET', root .. 'subscriptions:heard', ARGV[4])
return { 'notified', text(made), text(dropped) }
