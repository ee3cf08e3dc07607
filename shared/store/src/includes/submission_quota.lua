-- submission_quota: whether jobs that are submitted exceed the quota of their owner. A repeated
-- submission, which creates nothing, does not.
-- include: exceeded_quota, job_keys

local function creates(job)
  return call('EXISTS', key_job(job.id)) == 0
    and not (job.reserveID and call('EXISTS', key_used_id(job.id)) == 1)
    and not (job.fields.uniqueKey and call('EXISTS', key_unique(job.fields.uniqueKey)) == 1)
end

-- The jobs and bytes that each owner submits, of the jobs for which `counts` is true.
local function sums_by_owner(jobs, counts)
  local owners = {}
  for _, job in ipairs(jobs) do
    if counts(job) then
      local owner = job.fields.owner or ''
      owners[owner] = owners[owner] or { jobs = 0, bytes = 0 }
      owners[owner].jobs = owners[owner].jobs + 1
      owners[owner].bytes = owners[owner].bytes + #job.spec
    end
  end
  return owners
end

local function first_exceeded(owners)
  for owner, sum in pairs(owners) do
    local exceeded = exceeded_quota(owner, sum.jobs, sum.bytes)
    if exceeded then return exceeded end
  end
end

-- The answer that refuses these jobs; nil when there is room for them.
local function exceeded_by(jobs)
  return first_exceeded(sums_by_owner(jobs, function() return true end))
    and first_exceeded(sums_by_owner(jobs, creates))
end
