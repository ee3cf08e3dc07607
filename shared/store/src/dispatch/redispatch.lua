-- redispatch: waiting -> waiting, but jobs of one queue whose offers seem lost go to the outbox
-- again.
-- One script, so that a job that is claimed meanwhile is not offered. An offer too many is
-- harmless: the claim refuses it. A job that may still stand in the outbox, because no relay has
-- read it yet, is left alone, or an outage would fill the outbox.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  queue     string  its name
-- ARGV[2]  age       int     only jobs last offered at least this long ago, ms
-- ARGV[3]  behind    int     only jobs offered this long before the newest job of the queue that
--                            was claimed, ms; '' for all: the queue of the broker is empty
-- ARGV[4]  max       int     how many to offer at most
-- Answers  {'offered', count}
-- include: read_job, publish, queue_keys, member_of, try_step, clock, digits

local queue, now = ARGV[1], now_ms()
local before = now - ARGV[2]
if ARGV[3] ~= '' then
  local claimed = tonumber(call('HGET', root .. 'claimed_up_to', queue) or 0)
  before = math.min(before, claimed - ARGV[3])
end
local first = call('XRANGE', root .. 'outbox', '-', '+', 'COUNT', 1)[1]
-- A second's slack: the id of an entry and the score of a job are read off the clock at different
-- moments.
if first then before = math.min(before, tonumber(string.match(first[1], '^%d+')) - 1000) end

local members = call('ZRANGE', key_ready(queue), '-inf', before, 'BYSCORE', 'LIMIT', 0, ARGV[4])
local function offer_again(id)
  local job = read_job(id)
  if job and job.status == 'waiting' then publish(id, job, now) end
end
for _, member in ipairs(members) do
  local _, why = try_reported(id_of(member), offer_again, id_of(member))
  -- It counts as offered now, so that it holds up no other.
  if why then call('ZADD', key_ready(queue), digits(now), member) end
end
return { 'offered', digits(#members) }
