-- reoffer: waiting stays waiting, but jobs of one queue whose offers seem lost go to the outbox again.
-- One script, so that a job that is claimed meanwhile is not offered. An offer too many is harmless: it is refused.
-- A job that may still stand in the outbox (no relay has come to it yet) is left alone, or an outage would fill it.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  class     string  of the queue
-- ARGV[2]  priority  string  of the queue
-- ARGV[3]  age       int     only jobs that were last offered at least this long ago, ms
-- ARGV[4]  behind    int     only jobs that were offered so long before the last one of the queue that was claimed, ms;
--                            '' asks for all: there is nothing in the broker's queue
-- ARGV[5]  max       int     how many to offer at most
-- Answers  {'offered', count}

local now = now_ms()
local before = now - ARGV[3]
if ARGV[4] ~= '' then
  before = math.min(before, tonumber(call('HGET', root .. 'reached', ARGV[1] .. '.' .. ARGV[2]) or 0) - ARGV[4])
end
local first = call('XRANGE', root .. 'outbox', '-', '+', 'COUNT', 1)[1]
-- A second's slack: an entry's place and a job's score are read off the clock at different moments of a script.
if first then before = math.min(before, tonumber(string.match(first[1], '^%d+')) - 1000) end

local ready = key_ready(ARGV[1], ARGV[2])
local ids = call('ZRANGE', ready, '-inf', before, 'BYSCORE', 'LIMIT', 0, ARGV[5])
for _, id in ipairs(ids) do
  local job = record(id)
  if job and job.status == 'waiting' then
    publish(id, job, now)
  end
end
return { 'offered', text(#ids) }
