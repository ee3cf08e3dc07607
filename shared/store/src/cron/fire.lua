-- fire: ticks of crons that have come -> jobs; each cron moves on to its next tick.
-- One script, so that a tick is fired by one scheduler and only once: a second one finds nextRun
-- moved. A cron that was changed, paused or deleted since it was read is left alone. The store's
-- clock decides what has come.
-- KEYS[1]  root   string  the namespace
-- ARGV[1]  limit  int     how many queues a namespace may have
-- ARGV[2]  held   int     how many firings of a cron are held at most
-- ARGV[3]  again  int     ms until a held firing that cannot begin is looked at again
-- ARGV[4…] crons  JSON    one each: name, revision, nextRun (as it was read), next ('' for none),
--                         skipped, newestSkipped (the newest of these ticks), firings: kind
--                         ('tick', or 'held' for the first that is held), tick, missed, job (as in
--                         submit.lua)
-- Answers  per cron, in order:
--            {'fired', made, held, skipped}  how many jobs were made, firings held, ticks skipped
--            {'conflict'}                    it is not as it was read; nothing is written
--            {'early'}                       one of the ticks has not come; nothing is written
-- include: cron_keys, cron_job_keys, unfinished_jobs, skip_ticks, create_firing, read_job, stop_job
-- include: clock, digits

local limit, most_held, now = tonumber(ARGV[1]), tonumber(ARGV[2]), now_ms()

local function replace(ids)
  for _, id in ipairs(ids) do
    local job = id and read_job(id)
    if job and (job.status == 'waiting' or job.status == 'running') then
      stop_job(id, job, {}, now)
    end
  end
end

local function fire(name, overlap, firing, tally)
  local held_key = key_cron_held(name)
  local entry = firing.tick .. ':' .. firing.missed
  local function leave_out(reason, tick)
    skip_ticks(name, reason, 1, tick, now)
    tally.skipped = tally.skipped + 1
  end
  local function create()
    if create_firing(name, firing, limit, now) then
      tally.made = tally.made + 1
    else
      leave_out('no_queue', firing.tick)
    end
  end
  if overlap == 'allow' then
    unfinished_jobs(name, call('SRANDMEMBER', key_cron_jobs(name), 3))
    if firing.kind == 'held' and call('ZREM', held_key, entry) == 0 then return end
    return create()
  end
  local ids = some_unfinished(name)
  if firing.kind == 'held' then
    if #ids > 0 or call('ZRANGE', held_key, 0, 0)[1] ~= entry then return end
    call('ZREM', held_key, entry)
    return create()
  end
  if overlap == 'replace' then
    replace(ids)
    ids = some_unfinished(name)
    for _, older in ipairs(call('ZRANGE', held_key, 0, -1)) do
      leave_out('replaced', string.match(older, '^%d+'))
    end
    call('DEL', held_key)
  end
  local waiting = call('ZCARD', held_key)
  if #ids == 0 and waiting == 0 then return create() end
  if overlap == 'skip' then return leave_out('overlap', firing.tick) end
  if waiting >= most_held then return leave_out('too_many_held', firing.tick) end
  call('ZADD', held_key, firing.tick, entry)
  tally.held = tally.held + 1
end

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
  for _, firing in ipairs(seen.firings) do fire(seen.name, cron[3], firing, tally) end
  call('HSET', key, 'nextRun', seen.next)
  local look = tonumber(seen.next)
  if call('EXISTS', key_cron_held(seen.name)) == 1 then
    look = math.min(look or math.huge, now + tonumber(ARGV[3]))
  end
  if look then
    call('ZADD', root .. 'crons', digits(look), seen.name)
  else
    call('ZREM', root .. 'crons', seen.name)
  end
  return { 'fired', digits(tally.made), digits(tally.held), digits(tally.skipped) }
end

local answers = {}
for i = 4, #ARGV do answers[#answers + 1] = fire_cron(cjson.decode(ARGV[i])) end
return answers
