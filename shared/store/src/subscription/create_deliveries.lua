-- create_deliveries: events -> jobs that deliver them; the cursor moves on to the last of these
-- events.
-- One script, so that each event has one job per subscription, however often it is read and
-- whichever scheduler dies: a second one finds the cursor moved. A subscription that was deleted or
-- paused since it was read is left alone.
-- KEYS[1]  root   string  the namespace
-- ARGV[1]  most   int     how many messages of a subscription may be on their way
-- ARGV[2]  seen   string  the cursor as it was read
-- ARGV[3]  next   string  the new cursor
-- ARGV[4]  kept   string  the first event after the cursor that is still kept; '' when none was
--                         lost
-- ARGV[5]  count  int     how many names follow: subscriptions that may have missed some lost event
-- ARGV[6…] the names, then per message, as JSON: name, id (of the subscription), job (as in
--          submit.lua)
-- Answers  {'created', made, dropped}  how many jobs were created, and how many were not because
--                                      too many messages are on their way
--          {'conflict'}                another scheduler was first; nothing is written
--          {'too_many_queues', queue}  nothing is written
-- include: subscription_keys, route, create_job, write_changes, job_keys, clock, digits

local most, now = tonumber(ARGV[1]), now_ms()
if call('GET', root .. 'subscriptions:cursor') ~= ARGV[2] then return { 'conflict' } end
local first, messages = 6 + tonumber(ARGV[5]), {}
for i = first, #ARGV do
  local message = cjson.decode(ARGV[i])
  messages[#messages + 1] = message
end
-- All delivery jobs are of one class, and so of one queue.
local excess = messages[1] and open_queues({ messages[1].job.fields }, now)
if excess then return { 'too_many_queues', excess } end

local function is_active(name, id)
  local found = call('HMGET', key_subscription(name), 'id', 'paused')
  return found[1] and (id == nil or found[1] == id) and found[2] == '0'
end
for i = 6, first - 1 do
  if is_active(ARGV[i]) then
    call('HINCRBY', key_subscription(ARGV[i]), 'cuts', 1)
    call('HSET', key_subscription(ARGV[i]), 'cutAfter', ARGV[2], 'cutBefore', ARGV[4])
  end
end

local made, dropped = 0, 0
local function create_delivery(message)
  local name, job = message.name, message.job
  -- A message that has a job gets no second one.
  if is_active(name, message.id) and call('EXISTS', key_job(job.id)) == 0 then
    if call('SCARD', key_deliveries(name)) < most then
      job.fields.scheduledAt = digits(now)
      create_job(job.id, job.fields, job.spec, now)
      call('SADD', key_deliveries(name), job.id)
      made = made + 1
    else
      call('HINCRBY', key_subscription(name), 'dropped', 1)
      dropped = dropped + 1
    end
  end
end
then_write_changes(function()
  for _, message in ipairs(messages) do create_delivery(message) end
end)
call('SET', root .. 'subscriptions:cursor', ARGV[3])
return { 'created', digits(made), digits(dropped) }
