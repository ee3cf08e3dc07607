-- offer: offers a job when its fairness group has room in its window; otherwise it joins the
-- backlog.
-- include: offer_window, publish, queue_of, queue_keys

local function offer(id, job, now)
  local group = group_of(job)
  if call('HINCRBY', root .. 'offered', group, 1) <= offer_window then
    return publish(id, job, now)
  end
  call('HINCRBY', root .. 'offered', group, -1)
  call('ZADD', key_backlog(group), job.scheduledAt, id)
end
