-- wait_queue: joins and leaves the wait queue of a lock. `contended` has the locks that have one.
-- include: granted, waiter_of, has_waiters, lock_keys, job_keys, member_of, words_in, digits

-- By priority, then by scheduledAt, then by number. All wait queues have this order, so that no two
-- jobs block each other.
local function join_wait_queue(id, job, name)
  local bands = { high = 0, normal = 1, low = 2 }
  call('ZADD', key_waiters(name), digits(bands[job.priority] * 3e14 + job.scheduledAt),
    member_of(id, job))
  waiters.exist[name] = true
  forget_granted(name)
  forget_waiter(id)
  call('SADD', root .. 'contended', name)
end

local function leave_wait_queue(id, job, name)
  call('ZREM', key_waiters(name), member_of(id, job))
  waiters.exist[name] = nil
  forget_granted(name)
  forget_waiter(id)
  if not waiters.of(name) then call('SREM', root .. 'contended', name) end
end

-- Leaves the wait queue of a lock for which the record says that the job waits.
local function stop_waiting_for(id, job, name)
  leave_wait_queue(id, job, name)
  local rest = {}
  for _, other in ipairs(words_in(job.awaitedLocks)) do
    if other ~= name then rest[#rest + 1] = other end
  end
  job.awaitedLocks = #rest > 0 and table.concat(rest, ' ')
  if job.awaitedLocks then
    call('HSET', key_job(id), 'awaitedLocks', job.awaitedLocks)
  else
    call('HDEL', key_job(id), 'awaitedLocks')
  end
end
