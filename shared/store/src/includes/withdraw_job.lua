-- withdraw_job: takes a waiting job out of wherever it waits.
-- include: withdraw_offer, queue_keys, queue_of, member_of, count_parked, wait_queue, wake_waiters
-- include: job_keys, words_in

-- From the backlog of its group. A group without a backlog waits for no turn.
local function leave_backlog(member, job)
  local backlog = key_backlog(group_of(job))
  if call('ZREM', backlog, member) == 0 then return false end
  if job.fairnessKey and call('EXISTS', backlog) == 0 then
    call('ZREM', key_turns(owner_in_queue(job)), job.fairnessKey)
  end
  return true
end

-- From the offers, from where it waits for its time, or from the backlog. False when it only waits
-- for locks.
local function withdraw_from_queue(id, job)
  local member = member_of(id, job)
  return withdraw_offer(id, job) or call('ZREM', root .. 'due', member) == 1
    or leave_backlog(member, job)
end

local function withdraw_job(id, job, now)
  local locks = words_in(job.awaitedLocks)
  if not withdraw_from_queue(id, job) and job.awaitedLocks then count_parked(job, -1) end
  if #locks > 0 then
    for _, name in ipairs(locks) do leave_wait_queue(id, job, name) end
    call('HDEL', key_job(id), 'awaitedLocks')
    job.awaitedLocks = nil
  end
  for _, name in ipairs(locks) do wake_waiters(name, now) end
end
