
-- settle: what hangs on the end of a job: those that wait for it, its parent, its children. It may be thousands of jobs, so
-- that it is noted in the script that ends the job (`settle_later`), and carried out in steps.

local function popped(key, most)
  local ids = {}
  for i, member in ipairs(call('ZPOPMIN', key, most)) do
    if i % 2 == 1 then ids[#ids + 1] = member end
  end
  return ids
end

local function depends_failed(id, job, on, outcome, now)
  local word = outcome == 'cancel' and 'was cancelled' or 'did not succeed'
  local message = 'job ' .. on .. ', on which it depends, ' .. word
  if outcome == 'cancel' then return end_waiting(id, job, 'cancel', { 'cancelReason', message }, now) end
  end_waiting(id, job, 'error', { 'exception', '{"type":"DependencyFailed","message":"' .. message .. '"}' }, now)
end

local function tell_dependents(now, most, on, outcome)
  local ids = popped(key_dependents(on), most)
  for _, id in ipairs(ids) do
    local job = record(id)
    if job and job.status == 'waiting' and job.blockers then
      if outcome ~= 'done' and call('HGET', key_job(id), 'when') ~= 'finished' then
        depends_failed(id, job, on, outcome, now)
      elseif call('HINCRBY', key_job(id), 'blockers', -1) == 0 then
        call('HDEL', key_job(id), 'blockers')
        place(id, job, now)
      end
    end
  end
  return #ids, call('EXISTS', key_dependents(on)) == 0
end

local function tell_parent(now, child, family, outcome)
  local id = call('HGET', root .. 'parents', family)
  if call('ZREM', key_children(family), child) == 0 or not id then return end
  if outcome ~= 'done' then call('HINCRBY', key_job(id), 'failed', 1) end
  local job = record(id)
  if job.awaits and call('EXISTS', key_children(family)) == 0 then
    local failed = call('HGET', key_job(id), 'failed')
    end_waiting(id, job, failed and 'error' or 'done', failed and { 'exception', children_failed(failed) } or {}, now)
  end
end

local function stop_children(now, most, family)
  local ids = popped(root .. 'stopping:' .. family, most)
  for _, id in ipairs(ids) do
    local job, last = last_of(id)
    if job and (job.status == 'waiting' or job.status == 'running') then
      stop(last, job, { 'cancelReason', 'its parent was cancelled' }, now)
    end
  end
  return #ids, call('EXISTS', root .. 'stopping:' .. family) == 0
end

-- Carries out what is noted, for at most so many jobs; returns for how many it was.
local function settle(most, now)
  local moved = 0
  while moved < most do
    local note = names_in(call('LINDEX', root .. 'settling', 0) or '')
    local count, all = 1, true
    if #note == 0 then
      break
    elseif note[1] == 'dependents' then
      count, all = tell_dependents(now, most - moved, note[2], note[3])
    elseif note[1] == 'child' then
      tell_parent(now, note[2], note[3], note[4])
    else
      count, all = stop_children(now, most - moved, note[2])
    end
    moved = moved + count
    if all then call('LPOP', root .. 'settling') end
  end
  return moved
end
