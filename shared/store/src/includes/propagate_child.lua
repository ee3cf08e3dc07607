-- propagate_child: a parent learns that a child is over, and ends when it was the last one it
-- waited for.
-- include: end_waiting, read_job, job_keys, relation_keys, children_failed

local function propagate_child(now, child, group, outcome)
  local id = call('HGET', root .. 'parents', group)
  if call('ZREM', key_children(group), child) == 0 or not id then return end
  if outcome ~= 'done' then call('HINCRBY', key_job(id), 'failedChildren', 1) end
  local job = read_job(id)
  if not job.awaitsChildren or call('EXISTS', key_children(group)) == 1 then return end
  local failed = call('HGET', key_job(id), 'failedChildren')
  if not failed then return end_waiting(id, job, 'done', {}, now) end
  end_waiting(id, job, 'error', { 'exception', children_failed(failed) }, now)
end
