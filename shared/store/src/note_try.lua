-- note_try: how one try to deliver a message went is noted at its subscription.
-- One script, so that a message is counted once, however often its end is noted, and nothing is noted of one that is deleted.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  name     string  of the subscription
-- ARGV[2]  id       string  of the subscription
-- ARGV[3]  message  string  the first job that was to deliver it
-- ARGV[4]  word     string  'delivered'; 'failed', it may be tried again; 'left', nobody wants it any more
-- ARGV[5]  event    string  what it tells of
-- ARGV[6]  why      string  of one that failed
-- Answers  {'noted'}
--          {'gone'}   the subscription is; nothing is written

local key, word = key_subscription(ARGV[1]), ARGV[4]
if call('HGET', key, 'id') ~= ARGV[2] then return { 'gone' } end

local moment = text(now_ms())
local on_its_way = word ~= 'failed' and call('SREM', key_deliveries(ARGV[1]), ARGV[3]) == 1
if word == 'delivered' then
  if on_its_way then call('HINCRBY', key, 'delivered', 1) end
  call('HSET', key, 'deliveredEvent', ARGV[5], 'deliveredAt', moment)
elseif word == 'failed' then
  call('HINCRBY', key, 'failed', 1)
  call('HSET', key, 'failedEvent', ARGV[5], 'failedAt', moment, 'failure', ARGV[6])
end
return { 'noted' }
