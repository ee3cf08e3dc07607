-- withdraw_job: takes a waiting job out of wherever it waits.
-- include: withdraw_offer, has_backlog, queue_keys, queue_of, member_of, members, count_parked
-- include: wait_queue, wake_waiters, job_keys, words_in

-- From the backlog of its group. A group without a backlog waits for no turn.
local function leave_backlog(member, job)
  local backlog = key_backlog(group_of(job))
  if not score_of(backlog, member) then return false end
  remove_member(backlog, member)
  if job.fairnessKey and not has_backlog(job) then
    call('ZREM', key_turns(owner_in_queue(job)), job.fairnessKey)
  end
  return true
end

-- From the offers, from where it waits for its time, or from the backlog. False when it only waits
-- for locks.
local function withdraw_from_queue(id, job)
  if withdraw_offer(id, job) then return true end
  local member = member_of(id, job)
  if not score_of(root .. 'due', member) then return leave_backlog(member, job) end
  remove_member(root .. 'due', member)
  return true
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
