-- join_parent: makes a new job a child of its parent. When the parent is over by now, the child is
-- stopped.
-- include: stands_for, last_follow_up, job_status, note_end, job_keys, relation_keys

local function join_parent(id, fields, parent_id)
  local parent, last = last_follow_up(resolve_name(parent_id))
  local group = parent and parent.childGroup or last
  if not parent or is_final(parent) or parent.status == 'cancel_request' then
    call('ZADD', key_stopping(group), fields.scheduledAt, id)
    note_end('stop', group)
  elseif not parent.childGroup then
    call('HSET', key_job(last), 'childGroup', group)
    call('HSET', root .. 'parents', group, last)
  end
  fields.parentGroup = group
end
