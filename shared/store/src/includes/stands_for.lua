-- stands_for: the job that a name means. A submission that was not created, because another job had
-- its unique key, means that other job.
-- include: job_keys, retention

local stands_for = {}

local function resolve_name(name)
  local holder = stands_for[name]
  if holder then call('SET', key_used_id(name), holder, 'EX', id_reserved_s) end
  return holder or call('GET', key_used_id(name)) or name
end
