-- offer: offers a job through the queue of its route when its fairness group has room in its
-- window; otherwise it joins the backlog.
-- include: route, offer_window, publish, queue_of, queue_keys, member_of, digits

-- How long a job waits when the namespace has no room for its queue.
local no_queue_ms = 5000

local function offer(id, job, now)
  if not assign_queue(id, job, now) then
    return call('ZADD', root .. 'due', digits(now + no_queue_ms), member_of(id, job))
  end
  local group = group_of(job)
  if call('HINCRBY', root .. 'offered', group, 1) <= offer_window then
    return publish(id, job, now)
  end
  call('HINCRBY', root .. 'offered', group, -1)
  call('ZADD', key_backlog(group), job.scheduledAt, member_of(id, job))
end
