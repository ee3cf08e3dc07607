-- propagate_stop: the children of a cancelled job are stopped. Returns how many it looked at, and
-- whether that was all.
-- include: pop_members, last_follow_up, stop_job, try_step, relation_keys

local function stop_child(id, now)
  local job, last = last_follow_up(id)
  if job and (job.status == 'waiting' or job.status == 'running') then
    stop_job(last, job, { 'cancelReason', 'its parent was cancelled' }, now)
  end
end

local function propagate_stop(now, most, group)
  local ids = pop_members(key_stopping(group), most)
  for _, id in ipairs(ids) do try_reported(id, stop_child, id, now) end
  return #ids, call('EXISTS', key_stopping(group)) == 0
end
