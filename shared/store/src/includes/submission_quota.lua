-- submission_quota: whether jobs that are submitted exceed the quota of their owner. A repeated
-- submission, which creates nothing, does not; one that replaces a job or joins a batch may do so
-- by its bytes.
-- include: exceeded_quota, replace_job, join_batch, job_keys

local function adds_nothing(job)
  return call('EXISTS', key_job(job.id)) == 1
    or (job.reserveID or job.batch) and call('EXISTS', key_used_id(job.id)) == 1
end

-- The bytes that a submission with a taken unique key adds. `planned` has what becomes of jobs and
-- of batches with the submissions before it.
local function added_to_holder(id, job, planned, now)
  local held = job.debounceMs and replaceable(id, job, now)
  if not held or held[8] == job.id then return 0 end
  local before = planned[id] or call('HSTRLEN', key_job(id), 'spec')
  planned[id] = #job.spec
  return #job.spec - before
end

-- Whether a submission joins a batch.
local function will_join(job, planned, now)
  local key = job.batch.key
  local open = planned[key]
  if open == nil then open = open_batch(job.batch, now) end
  local joins = open and bytes_with(open, job.batch) <= job.batch.mostBytes
  local count = joins and open.count + 1 or 1
  local bytes = joins and bytes_with(open, job.batch) or job.batch.bytes
  planned[key] = count < job.batch.size and { count = count, bytes = bytes }
  return joins
end

-- How many jobs and bytes a submission adds.
local function growth(job, planned, now)
  if adds_nothing(job) then return 0, 0 end
  local holder = job.fields.uniqueKey and call('GET', key_unique(job.fields.uniqueKey))
  if holder then return 0, added_to_holder(holder, job, planned, now) end
  if job.batch and will_join(job, planned, now) then return 0, 1 + job.batch.bytes end
  return 1, #job.spec
end

-- The answer that refuses what these submissions add, each by `growth_of` in jobs and bytes.
local function first_exceeded(jobs, growth_of)
  local owners = {}
  for _, job in ipairs(jobs) do
    local more, bytes = growth_of(job)
    local owner = job.fields.owner or ''
    owners[owner] = owners[owner] or { jobs = 0, bytes = 0 }
    owners[owner].jobs = owners[owner].jobs + more
    owners[owner].bytes = owners[owner].bytes + bytes
  end
  for owner, sum in pairs(owners) do
    local exceeded = exceeded_quota(owner, sum.jobs, sum.bytes)
    if exceeded then return exceeded end
  end
end

-- The answer that refuses these jobs; nil when there is room for them. What each adds is only
-- looked at if there is no room for jobs as large as all submissions.
local function exceeded_by(jobs, now)
  if not first_exceeded(jobs, function(job) return 1, #job.spec end) then return nil end
  local planned = {}
  return first_exceeded(jobs, function(job) return growth(job, planned, now) end)
end
