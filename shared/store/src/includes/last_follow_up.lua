-- last_follow_up: the last of the jobs that carry one on, which may be itself, and its id.
-- include: read_job

local function last_follow_up(id)
  local job = read_job(id)
  while job and job.followUpID do
    local follower = read_job(job.followUpID)
    if not follower then break end
    id, job = job.followUpID, follower
  end
  return job, id
end
