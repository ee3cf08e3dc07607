-- propagate_dependents: jobs that depend on one that is over go on, or end with it. Returns how
-- many it looked at, and whether that was all.
-- include: pop_members, end_waiting, schedule_job, read_job, try_step, job_keys, relation_keys
-- include: member_of, digits

local function fail_dependent(id, job, on, outcome, now)
  local reason = outcome == 'cancel' and 'was cancelled' or 'did not succeed'
  local message = 'job ' .. on .. ', on which it depends, ' .. reason
  if outcome == 'cancel' then
    return end_waiting(id, job, 'cancel', { 'cancelReason', message }, now)
  end
  local exception = '{"type":"DependencyFailed","message":"' .. message .. '"}'
  end_waiting(id, job, 'error', { 'exception', exception }, now)
end

local function propagate_dependent(id, on, outcome, now)
  local job = read_job(id)
  if not job or job.status ~= 'waiting' or not job.blockers then return end
  if outcome ~= 'done' and call('HGET', key_job(id), 'when') ~= 'finished' then
    fail_dependent(id, job, on, outcome, now)
  elseif call('HINCRBY', key_job(id), 'blockers', -1) == 0 then
    call('HDEL', key_job(id), 'blockers')
    call('HSET', key_job(id), 'unblockedAt', digits(now))
    schedule_job(id, job, now)
  end
end

local function propagate_dependents(now, most, on, outcome)
  local members = pop_members(key_dependents(on), most)
  for _, member in ipairs(members) do
    local id = id_of(member)
    try_reported(id, propagate_dependent, id, on, outcome, now)
  end
  return #members, call('EXISTS', key_dependents(on)) == 0
end
