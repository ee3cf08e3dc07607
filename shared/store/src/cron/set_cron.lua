-- set_cron: creates or changes a cron; its jobs and its held firings stay.
-- One script, so that a firing on its way sees the cron before or after the change: both check the
-- revision. Setting what is set already changes nothing.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  limit     int     how many crons a namespace may have
-- ARGV[2]  name      string  of the cron
-- ARGV[3]  seen      string  the revision that the caller has read, '' when there was none
-- ARGV[4]  id        string  for a new cron
-- ARGV[5]  spec      JSON    what it does; '' to leave it
-- ARGV[6]  overlap   string  'allow', 'skip', 'queue', 'replace'
-- ARGV[7]  paused    int     1 when it does not fire
-- ARGV[8]  declared  int     1 when a file declares it
-- ARGV[9]  next      string  its next tick in ms, '' for none, 'keep' to leave it
-- Answers  {'set', word}       word is 'created', 'changed' or 'unchanged'
--          {'conflict'}        its revision is another by now; nothing is written
--          {'late'}            the next tick has come already; nothing is written
--          {'too_many_crons'}  nothing is written
-- include: cron_keys, emit_cron, clock, digits

local name, seen, now = ARGV[2], ARGV[3], now_ms()
local key = key_cron(name)
local was = call('HMGET', key, 'revision', 'spec', 'paused', 'declared')
if (was[1] or '') ~= seen then return { 'conflict' } end
local spec = ARGV[5] ~= '' and ARGV[5] or was[2]
if was[1] and was[2] == spec and was[3] == ARGV[7] and was[4] == ARGV[8] then
  return { 'set', 'unchanged' }
end
local next_run = tonumber(ARGV[9])
if next_run and next_run <= now then return { 'late' } end
if not was[1] and call('ZCARD', root .. 'cron_names') >= tonumber(ARGV[1]) then
  return { 'too_many_crons' }
end

local moment = digits(now)
if not was[1] then
  call('HSET', key, 'id', ARGV[4], 'createdAt', moment, 'fired', 0, 'skipped', 0)
  call('ZADD', root .. 'cron_names', 0, name)
end
-- Never the revision of an earlier cron of this name: a firing may still be on its way.
local revision = digits(call('INCR', root .. 'cron_revision'))
call('HSET', key, 'revision', revision, 'spec', spec, 'overlap', ARGV[6], 'paused', ARGV[7],
  'declared', ARGV[8], 'lastUpdated', moment)
if ARGV[9] ~= 'keep' then
  call('HSET', key, 'nextRun', ARGV[9])
  call('ZREM', root .. 'crons', name)
end
if ARGV[7] == '0' then
  local held = call('EXISTS', key_cron_held(name)) == 1
  local look = held and now or tonumber(call('HGET', key, 'nextRun'))
  if look then call('ZADD', root .. 'crons', digits(look), name) end
end
local word = was[1] and 'changed' or 'created'
emit_cron(name, word)
return { 'set', word }
