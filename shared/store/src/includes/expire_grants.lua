-- expire_grants: waiters that have not used their grant leave the wait queue. They stay offered.
-- include: granted, read_job, offered_at, wait_queue, waiter_of, wake_waiters

local function expire_grants(name, now)
  call('ZREM', root .. 'grants', name)
  -- The next start of a rate limit must be noted again.
  forget_granted(name)
  for _, id in ipairs(granted(name)) do
    local job = read_job(id)
    local since = offered_at(id, job)
    if since and tonumber(since) <= now - grant_ms then stop_waiting_for(id, job, name) end
  end
  -- Those that stay are noted in `grants` again.
  known_waiters = {}
  wake_waiters(name, now)
end
