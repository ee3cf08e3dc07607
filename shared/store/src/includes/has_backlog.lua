-- has_backlog: whether jobs of a fairness group wait for room in its window.
-- include: queue_keys, queue_of, members

local function has_backlog(job)
  local backlog = key_backlog(group_of(job))
  write_members_of(backlog)
  return call('EXISTS', backlog) == 1
end
