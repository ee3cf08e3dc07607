-- last_follow_up: the last of the jobs that carry one on, which may be itself, and its id. The set
-- of the chain names it, however long the chain is.
-- include: read_job, relation_keys

local function last_follow_up(id)
  local job = read_job(id)
  while job and job.followUpID do
    local last = call('ZRANGE', key_chain(job.firstID or id), -1, -1)[1]
    -- A chain from before there were such sets leads from record to record. The follow-up of the
    -- last record of a set was deleted.
    if not last or last == id then last = job.followUpID end
    local follower = read_job(last)
    if not follower then break end
    id, job = last, follower
  end
  return job, id
end
