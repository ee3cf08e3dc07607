-- free_locks: frees the locks that a job still holds. One that was cleared by hand is not its own
-- any more.
-- include: granted, lock_keys, parse_needs, wake_waiters

local function free_locks(id, job, now)
  for _, lock in ipairs(parse_needs(job.holds)) do
    if call('HDEL', key_lock(lock.name), id) == 1 then
      if call('HINCRBY', root .. 'permits:held', lock.name, -lock.need) == 0 then
        call('HDEL', root .. 'permits:held', lock.name)
      end
      forget_granted(lock.name)
      wake_waiters(lock.name, now)
    end
  end
end
