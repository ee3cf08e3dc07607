
-- relations: for whom a new job may wait and whose child it may be; used by submit alone.

-- True when a job of this family may wait for this one. A child waits for its siblings only, or for what is over: whatever
-- else it waited for might wait for its parent, which waits for it.
local function may_wait_for(parent_id, family, on, other)
  if not parent_id then return true end
  if other then return is_final(other) or other.parent == family end
  return on.fields.parentID == parent_id
end

local function refused_relation(job, mine)
  local parent_id, depends = job.fields.parentID, names_in(job.fields.dependsOn)
  if not parent_id and #depends == 0 then return nil end
  -- What is answered as it was before is not looked at again.
  if call('EXISTS', key_job(job.id)) == 1 or job.once and call('EXISTS', key_once(job.id)) == 1 then return nil end
  local parent, last = nil, nil
  if parent_id then
    parent, last = last_of(parent_id)
    local over = not parent or is_final(parent) or parent.status == 'cancel_request'
    if over and not mine[parent_id] then return { word = 'parent_over', id = parent_id } end
  end
  for _, id in ipairs(depends) do
    local on, other = mine[id], last_of(id)
    if not on and not other then return { word = 'unknown_dependency', id = id } end
    if not may_wait_for(parent_id, parent and parent.family or last, on, other) then
      return { word = 'foreign_dependency', id = id }
    end
  end
end

local stands_for = {}

-- Whom a name means: the job itself, or the one that has its unique key.
local function meant(name)
  local holder = stands_for[name]
  if holder then call('SET', key_once(name), holder, 'EX', 86400) end
  return holder or call('GET', key_once(name)) or name
end

-- Notes for whom a new job waits; what can never be is settled like any other end.
local function depend(id, fields, parent_id)
  local blockers = 0
  for _, name in ipairs(names_in(fields.dependsOn)) do
    local job, last = last_of(meant(name))
    if job and job.status ~= 'deleted' then call('HSETNX', key_job(last), 'next', id) end
    local ended = not job or is_final(job) or not may_wait_for(parent_id, fields.parent, nil, job)
    local met = job and (job.status == 'done' or is_final(job) and fields.when == 'finished')
    if not met and call('ZADD', key_dependents(last), fields.scheduledAt, id) == 1 then
      blockers = blockers + 1
      if ended then settle_later('dependents', last, job and outcome_of(job.status) or 'error') end
    end
  end
  fields.dependsOn = nil
  if blockers > 0 then fields.blockers = blockers end
end

local function join_family(id, fields)
  local parent, last = last_of(meant(fields.parentID))
  local family = parent and parent.family or last
  if not parent or is_final(parent) or parent.status == 'cancel_request' then
    call('ZADD', root .. 'stopping:' .. family, fields.scheduledAt, id)
    settle_later('stop', family)
  elseif not parent.family then
    call('HSET', key_job(last), 'family', family)
    call('HSET', root .. 'parents', family, last)
  end
  fields.parent, fields.parentID = family, nil
end
