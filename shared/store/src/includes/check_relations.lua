-- check_relations: the jobs that a new job may name as its dependencies and its parent.
-- include: last_follow_up, job_status, job_keys

-- A child may wait only for its siblings, or for what is over: anything else might wait for its
-- parent, which waits for it.
local function may_wait_for(parent_id, group, on, other)
  if not parent_id then return true end
  if other then return is_final(other) or other.parentGroup == group end
  return on.parentID == parent_id
end

-- Why a new job is refused, or nil. `submitted` has the jobs before it in the same call, by id.
local function refused_relation(job, submitted)
  local parent_id, dependencies = job.parentID, job.dependsOn or {}
  if not parent_id and #dependencies == 0 then return nil end
  -- A repeated submission gets the answer of the first one.
  if call('EXISTS', key_job(job.id)) == 1 then return nil end
  if job.reserveID and call('EXISTS', key_used_id(job.id)) == 1 then return nil end
  local parent, last = nil, nil
  if parent_id then
    parent, last = last_follow_up(parent_id)
    local reason = nil
    if not parent then
      reason = 'unknown_parent'
    elseif is_final(parent) or parent.status == 'cancel_request' then
      reason = 'parent_over'
    end
    if reason and not submitted[parent_id] then return { reason = reason, id = parent_id } end
  end
  for _, id in ipairs(dependencies) do
    local on, other = submitted[id], last_follow_up(id)
    if not on and not other then return { reason = 'unknown_dependency', id = id } end
    if not may_wait_for(parent_id, parent and parent.childGroup or last, on, other) then
      return { reason = 'foreign_dependency', id = id }
    end
  end
end
