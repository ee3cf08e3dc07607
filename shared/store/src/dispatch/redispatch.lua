-- redispatch: waiting -> waiting, but jobs of one queue whose offers seem lost go to the outbox
-- again.
-- One script, so that a job that is claimed meanwhile is not offered. An offer too many is
-- harmless: the claim refuses it. A job that may still stand in the outbox, because no relay has
-- read it yet, is left alone, or an outage would fill the outbox. A member whose job does not wait
-- in the queue is removed: it would keep the place of another in every call.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  queue     string  its name
-- ARGV[2]  age       int     only jobs last offered at least this long ago, ms
-- ARGV[3]  behind    int     only jobs offered this long before the newest job of the queue that
--                            was claimed, ms; '' for all: the queue of the broker is empty
-- ARGV[4]  max       int     how many to offer at most
-- Answers  {'offered', count, removed}  how many jobs were offered, and how many members were
--                                       removed; call again while there are any
-- flags: allow-oom
-- include: read_job, publish, withdraw_offer, members, write_changes, queue_of, queue_keys
-- include: member_of, try_step, clock, digits

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
local count, removed = 0, 0
local function offer_again(id, member)
  local job = read_job(id)
  local is_here = job and queue_of(job) == queue
  if is_here and job.status == 'waiting' then
    publish(id, job, now)
    count = count + 1
  else
    removed = removed + 1
    if not (is_here and withdraw_offer(id, job)) then remove_member(key_ready(queue), member) end
  end
end
for _, member in ipairs(members) do
  local _, why = try_reported(id_of(member), offer_again, id_of(member), member)
  -- It counts as offered now, so that it holds up no other.
  if why then add_member(key_ready(queue), digits(now), member) end
end
refill_offers(now)
write_changes()
return { 'offered', digits(count), digits(removed) }
