-- submit_job: creates one job of a submission, unless its id is known, its unique key is taken or
-- it joins a batch.
-- Returns its answer, as submit.lua lists them. With `again` nothing is created: an earlier call
-- did. `most` is how many jobs the script may still create.
-- include: stands_for, join_parent, depend_on, create_job, replace_job, check_request, job_keys
-- include: join_batch, digits, retention

local function answer_about(word, id)
  local known = call('HMGET', key_job(id), 'number', 'createdAt', 'scheduledAt')
  return known[1] and { word, known[1], known[2], known[3], id }
end

-- Whether some of the jobs may have had a record before the script, and those that it has created.
local some_known, created_ids = true, {}

-- Reads with one command whether any of these jobs has a record.
local function find_known(jobs)
  local keys = {}
  for i, job in ipairs(jobs) do keys[i] = key_job(job.id) end
  some_known = #keys > 0 and call('EXISTS', unpack(keys)) > 0
end

-- The job that answers a submission instead of a new one, and how.
local function holder_of(job, now)
  local joined = job.batch and join_batch(job, now)
  if joined then return joined, 'joined' end
  local key = job.fields.uniqueKey
  local holder = key and call('GET', key_unique(key))
  if not holder then return nil end
  return holder, job.debounceMs and replace_job(holder, job, now) and 'replaced' or 'taken'
end

local function submit_job(job, again, batch, most, now)
  local id, fields = job.id, job.fields
  local known = (some_known or created_ids[id]) and answer_about('known', id)
  if known then return known end
  local used = (again or job.reserveID or job.batch) and call('GET', key_used_id(id))
  if used or again then return used and answer_about('taken', used) or { 'spent', id } end
  local holder, how = holder_of(job, now)
  local taken = holder and answer_about(how, holder)
  -- A repeated submission with this id gets the same answer.
  if taken then stands_for[id] = holder end
  if job.reserveID or taken and batch ~= '' then
    call('SET', key_used_id(id), taken and holder or id, 'EX', id_reserved_s)
  elseif how == 'joined' then
    call('SET', key_used_id(id), holder, 'EX', call_repeated_s)
  end
  if job.requestHash then keep_request(id, job.requestHash) end
  if taken then return taken end

  if job.debounceMs then
    fields.scheduledAt, fields.replaced = digits(now + job.debounceMs), 0
  end
  if job.batch then fields.scheduledAt = digits(now + job.batch.waitMs) end
  fields.scheduledAt = fields.scheduledAt or digits(now)
  fields.number = next_number(most)
  if job.parentID then join_parent(id, fields, job.parentID) end
  if job.dependsOn then depend_on(id, fields, job.dependsOn, job.parentID) end
  create_job(id, fields, job.spec, now)
  if job.batch then begin_batch(id, job) end
  created_ids[id] = true
  return { 'created', fields.number, digits(now), fields.scheduledAt, id }
end
