-- hold_locks: gives a job that starts its locks: all of them, in this one step.
-- include: granted, lock_keys, job_keys

local function hold_locks(id, needs)
  local holds = {}
  for _, lock in ipairs(needs) do
    call('HSET', key_lock(lock.name), id, lock.need)
    call('HINCRBY', root .. 'permits:held', lock.name, lock.need)
    forget_granted(lock.name)
    holds[#holds + 1] = lock.name .. '=' .. lock.need
  end
  if #holds > 0 then call('HSET', key_job(id), 'holds', table.concat(holds, ' ')) end
end
