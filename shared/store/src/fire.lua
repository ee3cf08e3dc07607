-- fire: ticks of crons that have come -> jobs, and each cron on to its next tick.
-- One script, so that a tick is fired by one scheduler and never twice: who comes second finds nextRun moved. A cron
-- that was changed, paused or deleted since it was looked at is left alone. The store's clock says what has come.
-- KEYS[1]  root   string  the namespace
-- ARGV[1]  limit  int     how many queues a namespace may have
-- ARGV[2]  held   int     how many firings of a cron are held at most
-- ARGV[3]  again  int     after so many ms a held firing that cannot begin is looked at again
-- ARGV[4…] per cron: name, revision, nextRun as it was seen, next ('' for none), skipped, the newest tick of these,
--          count, then `count` firings: kind ('tick', 'held'), id, tick, missed, due at, class, priority, action,
--          retries, spec as JSON, locks, share; a held one must be the first that is held
-- Answers  per cron, in order:
--            {'fired', made, held, skipped}  how many jobs were made, firings held, ticks left out
--            {'moved'}                       it is not as it was seen; nothing is written
--            {'early'}                       one of the ticks has not come; nothing is written

local limit, most_held, now = tonumber(ARGV[1]), tonumber(ARGV[2]), now_ms()

local function fire(name, overlap, firing, tally)
  local held = key_cron_held(name)
  local entry = firing.tick .. ':' .. firing.missed
  local function leave_out(reason, tick)
    skip(name, reason, 1, tick, now)
    tally.skipped = tally.skipped + 1
  end
  local function made()
    if not make(name, firing, limit, now) then return leave_out('no_queue', firing.tick) end
    tally.made = tally.made + 1
  end
  if overlap == 'allow' then
    living_jobs(name, call('SRANDMEMBER', key_cron_jobs(name), 3))
    if firing.kind == 'held' and call('ZREM', held, entry) == 0 then return end
    return made()
  end
  local jobs = some_living(name)
  if firing.kind == 'held' then
    if #jobs > 0 or call('ZRANGE', held, 0, 0)[1] ~= entry then return end
    call('ZREM', held, entry)
    return made()
  end
  if overlap == 'replace' then
    for _, id in ipairs(jobs) do request_cancel(id, now) end
    jobs = some_living(name)
    for _, older in ipairs(call('ZRANGE', held, 0, -1)) do leave_out('replaced', string.match(older, '^%d+')) end
    call('DEL', held)
  end
  local waits = call('ZCARD', held)
  if #jobs == 0 and waits == 0 then return made() end
  if overlap == 'skip' then return leave_out('overlap', firing.tick) end
  if waits >= most_held then return leave_out('too_many_held', firing.tick) end
  call('ZADD', held, firing.tick, entry)
  tally.held = tally.held + 1
end

local function fire_cron(i, count)
  local name, seen = ARGV[i], ARGV[i + 2]
  local cron = call('HMGET', key_cron(name), 'revision', 'nextRun', 'overlap', 'paused')
  if cron[1] ~= ARGV[i + 1] or cron[2] ~= seen or cron[4] == '1' then return { 'moved' } end
  for j = i + 7, i + 6 + 12 * count, 12 do
    if tonumber(ARGV[j + 2]) > now then return { 'early' } end
  end

  local tally = { made = 0, held = 0, skipped = tonumber(ARGV[i + 4]) }
  if tally.skipped > 0 then skip(name, 'missed', tally.skipped, ARGV[i + 5], now) end
  for j = i + 7, i + 6 + 12 * count, 12 do fire(name, cron[3], firing_at(j), tally) end
  call('HSET', key_cron(name), 'nextRun', ARGV[i + 3])
  local look = tonumber(ARGV[i + 3])
  if call('EXISTS', key_cron_held(name)) == 1 then look = math.min(look or math.huge, now + tonumber(ARGV[3])) end
  if look then call('ZADD', root .. 'crons', text(look), name) else call('ZREM', root .. 'crons', name) end
  return { 'fired', text(tally.made), text(tally.held), text(tally.skipped) }
end

local answers, i = {}, 4
while i < #ARGV do
  local count = tonumber(ARGV[i + 6])
  answers[#answers + 1] = fire_cron(i, count)
  i = i + 7 + 12 * count
end
return answers
