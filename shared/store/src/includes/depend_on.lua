-- depend_on: registers a new job with the jobs it depends on. One that can never succeed is noted
-- like any other end.
-- include: stands_for, last_follow_up, check_relations, job_status, note_end, job_keys
-- include: relation_keys, member_of

local function depend_on(id, fields, dependencies, parent_id)
  local blockers = 0
  for _, name in ipairs(dependencies) do
    local job, last = last_follow_up(resolve_name(name))
    if job and job.status ~= 'deleted' then call('HSETNX', key_job(last), 'next', id) end
    local ended = not job or is_final(job)
      or not may_wait_for(parent_id, fields.parentGroup, nil, job)
    local met = job and (job.status == 'done' or is_final(job) and fields.when == 'finished')
    local member = member_of(id, fields)
    if not met and call('ZADD', key_dependents(last), fields.scheduledAt, member) == 1 then
      blockers = blockers + 1
      if ended then note_end('dependents', last, job and outcome_of(job.status) or 'error') end
    end
  end
  if blockers > 0 then fields.blockers = blockers end
end
