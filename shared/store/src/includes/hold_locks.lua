-- hold_locks: gives a job that starts its locks: all of them, in this one step. A start under a rate
-- limit uses permits and holds none.
-- include: granted, rate_limit, lock_keys, job_keys

local function hold_locks(id, needs)
  local holds = {}
  for _, lock in ipairs(needs) do
    local key = rate.key_of(lock.name)
    if key then
      rate.use(key, lock.need)
    else
      call('HSET', key_lock(lock.name), id, lock.need)
      call('HINCRBY', root .. 'permits:held', lock.name, lock.need)
      holds[#holds + 1] = lock.name .. '=' .. lock.need
    end
    forget_granted(lock.name)
  end
  if #holds > 0 then call('HSET', key_job(id), 'holds', table.concat(holds, ' ')) end
end
