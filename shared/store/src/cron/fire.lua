-- fire: ticks of crons that have come -> jobs; each cron moves on to its next tick.
-- One script, so that a tick is fired by one scheduler and only once: a second one finds nextRun
-- moved. A cron that was changed, paused or deleted since it was read is left alone. The store's
-- clock decides what has come.
-- KEYS[1]  root   string  the namespace
-- ARGV[1]  held   int     how many firings of a cron are held at most
-- ARGV[2]  again  int     ms until a held firing that cannot begin is looked at again
-- ARGV[3…] crons  JSON    one each: name, revision, nextRun (as it was read), next ('' for none),
--                         skipped, newestSkipped (the newest of these ticks), firings: kind
--                         ('tick', or 'held' for the first that is held), tick, missed, job (as in
--                         submit.lua)
-- Answers  per cron, in order:
--            {'fired', made, held, skipped}  how many jobs were made, firings held, ticks skipped
--            {'conflict'}                    it is not as it was read; nothing is written
--            {'early'}                       one of the ticks has not come; nothing is written
--            {'failed', reason}              a record of it cannot be read; it is tried again after
--                                            a minute
-- include: cron_keys, skip_ticks, fire_tick, write_changes, try_step, clock, digits

local most_held, now = tonumber(ARGV[1]), now_ms()

local function fire_cron(seen)
  local key = key_cron(seen.name)
  local cron = call('HMGET', key, 'revision', 'nextRun', 'overlap', 'paused')
  if cron[1] ~= seen.revision or cron[2] ~= seen.nextRun or cron[4] == '1' then
    return { 'conflict' }
  end
  for _, firing in ipairs(seen.firings) do
    if tonumber(firing.tick) > now then return { 'early' } end
  end

  local tally = { made = 0, held = 0, skipped = seen.skipped }
  if seen.skipped > 0 then
    skip_ticks(seen.name, 'missed', seen.skipped, seen.newestSkipped, now)
  end
  for _, firing in ipairs(seen.firings) do
    fire_tick(seen.name, cron[3], firing, most_held, tally, now)
  end
  call('HSET', key, 'nextRun', seen.next)
  local look = tonumber(seen.next)
  if call('EXISTS', key_cron_held(seen.name)) == 1 then
    look = math.min(look or math.huge, now + tonumber(ARGV[2]))
  end
  if look then
    call('ZADD', root .. 'crons', digits(look), seen.name)
  else
    call('ZREM', root .. 'crons', seen.name)
  end
  return { 'fired', digits(tally.made), digits(tally.held), digits(tally.skipped) }
end

local answers = {}
for i = 3, #ARGV do
  local seen = cjson.decode(ARGV[i])
  local answer, why = try_step(fire_cron, seen)
  if why then call('ZADD', root .. 'crons', digits(now + again_ms), seen.name) end
  answers[#answers + 1] = answer or { 'failed', why }
end
write_changes()
return answers
