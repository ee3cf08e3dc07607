-- propagate_dependents: jobs that depend on one that is over go on, or end with it. Returns how
-- many it looked at, and whether that was all.
-- include: pop_ids, end_waiting, schedule_job, read_job, job_keys, relation_keys

local function fail_dependent(id, job, on, outcome, now)
  local reason = outcome == 'cancel' and 'was cancelled' or 'did not succeed'
  local message = 'job ' .. on .. ', on which it depends, ' .. reason
  if outcome == 'cancel' then
    return end_waiting(id, job, 'cancel', { 'cancelReason', message }, now)
  end
  local exception = '{"type":"DependencyFailed","message":"' .. message .. '"}'
  end_waiting(id, job, 'error', { 'exception', exception }, now)
end

local function propagate_dependents(now, most, on, outcome)
  local ids = pop_ids(key_dependents(on), most)
  for _, id in ipairs(ids) do
    local job = read_job(id)
    if job and job.status == 'waiting' and job.blockers then
      if outcome ~= 'done' and call('HGET', key_job(id), 'when') ~= 'finished' then
        fail_dependent(id, job, on, outcome, now)
      elseif call('HINCRBY', key_job(id), 'blockers', -1) == 0 then
        call('HDEL', key_job(id), 'blockers')
        schedule_job(id, job, now)
      end
    end
  end
  return #ids, call('EXISTS', key_dependents(on)) == 0
end
