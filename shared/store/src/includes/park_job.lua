-- park_job: the first lock that keeps a job from starting, or nil. The job then joins the wait
-- queues of all locks that do, and keeps its place in them until it runs.
-- include: granted, permits_of, permits_held, has_waiters, job_keys, wait_queue, withdraw_job
-- include: count_parked, note_next_start, words_in, digits

local function park_job(id, job, needs, now)
  local waits, busy = {}, {}
  for _, name in ipairs(words_in(job.awaitedLocks)) do waits[name] = true end
  for _, lock in ipairs(needs) do
    local name = lock.name
    local waiting = waits[name]
    local lacks_permits = lock.need > permits_of(name) - permits_held(name)
    if not waiting and (lacks_permits or waiters.of(name)) then
      join_wait_queue(id, job, name)
      waiting = 'new'
    end
    if waiting and not granted(name)[id] then
      busy[#busy + 1] = name
    elseif waiting == 'new' then
      leave_wait_queue(id, job, name)
    end
  end
  if #busy == 0 then return nil end
  for _, name in ipairs(busy) do note_next_start(name) end

  if withdraw_from_queue(id, job) or not job.awaitedLocks then count_parked(job, 1) end
  local names = words_in(job.awaitedLocks)
  for _, name in ipairs(busy) do
    if not waits[name] then names[#names + 1] = name end
  end
  local first = job.parkedAt and {} or { 'parkedAt', digits(now), 'parkedFor', busy[1] }
  job.parkedAt = job.parkedAt or first[2]
  call('HSET', key_job(id), 'awaitedLocks', table.concat(names, ' '), unpack(first))
  return busy[1]
end
