-- fire_tick: one tick or held firing of a cron, as its overlap policy says: a job is created, or
-- the firing is held or skipped. `tally` counts these.
-- include: cron_keys, cron_job_keys, unfinished_jobs, skip_ticks, create_firing, read_job, stop_job

local function replace_jobs(ids, now)
  for _, id in ipairs(ids) do
    local job = id and read_job(id)
    if job and (job.status == 'waiting' or job.status == 'running') then
      stop_job(id, job, {}, now)
    end
  end
end

local function fire_tick(name, overlap, firing, most_held, tally, now)
  local held_key = key_cron_held(name)
  local entry = firing.tick .. ':' .. firing.missed
  local function leave_out(reason, tick)
    skip_ticks(name, reason, 1, tick, now)
    tally.skipped = tally.skipped + 1
  end
  local function create()
    local missing = create_firing(name, firing, now)
    if missing then return leave_out(missing, firing.tick) end
    tally.made = tally.made + 1
  end
  if overlap == 'allow' then
    unfinished_jobs(name, call('SRANDMEMBER', key_cron_jobs(name), 3), 3)
    if firing.kind == 'held' and call('ZREM', held_key, entry) == 0 then return end
    return create()
  end
  local ids = some_unfinished(name, overlap == 'replace' and most_looked_at or 1)
  if firing.kind == 'held' then
    if #ids > 0 or call('ZRANGE', held_key, 0, 0)[1] ~= entry then return end
    call('ZREM', held_key, entry)
    return create()
  end
  if overlap == 'replace' then
    replace_jobs(ids, now)
    ids = some_unfinished(name, 1)
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
