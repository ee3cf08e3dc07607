-- offered_at: when a job was last offered; false when it is not offered.
-- include: queue_keys, queue_of, member_of, members

local function offered_at(id, job)
  return score_of(key_ready(queue_of(job)), member_of(id, job))
end
