-- create_job: writes a waiting job with all its indexes. `job` has the fields of its record, with
-- scheduledAt as text, and its number when it was drawn before; `spec` is what was asked for, as
-- JSON.
-- include: job_keys, relation_keys, count_waiting, emit_job, schedule_job, members, next_of, digits

-- Numbers follow the order of submission. `most` is how many jobs the script may still create.
local function next_number(most) return next_of('number', most or 1) end

local function create_job(id, job, spec, now)
  job.number = job.number or next_number()
  local at, moment = job.scheduledAt, digits(now)
  local fields = { 'status', 'waiting', 'createdAt', moment, 'lastUpdated', moment }
  -- The usual priority is not written: it would take most records to the allocator's next size.
  for name, value in pairs(job) do
    if value ~= 'normal' or name ~= 'priority' then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  fields[#fields + 1] = 'spec'
  fields[#fields + 1] = spec
  call('HSET', key_job(id), unpack(fields))
  job.bytes = #spec
  count_waiting(id, job, 1)
  add_member(root .. 'jobs:number', job.number, id)
  add_member(key_status('waiting'), at, id)
  add_member(key_action(job.action), at, id)
  if job.uniqueKey then call('SET', key_unique(job.uniqueKey), id) end
  if job.expiresAt then add_member(root .. 'expiring', job.expiresAt, id) end
  if job.parentGroup then
    call('ZADD', key_child_jobs(job.parentGroup), at, id)
    -- A parent that is over does not wait for its children.
    if call('HEXISTS', root .. 'parents', job.parentGroup) == 1 then
      call('ZADD', key_children(job.parentGroup), at, id)
    end
  end
  emit_job(id, job.number, job.action, 'waiting', '', '')
  if not job.blockers then schedule_job(id, job, now, now) end
end
