-- offer: offers a job through the queue of its route when its fairness group and its owner have
-- room in their windows; otherwise it joins the backlog of the group.
-- include: route, offer_window, windows, widen_window, count_offers, take_turns, publish, queue_of
-- include: queue_keys, member_of, members, digits

-- How long a job waits when the namespace has no room for its queue.
local no_queue_ms = 5000

local function offer(id, job, now)
  if not assign_queue(id, job, now) then
    return add_member(root .. 'due', digits(now + no_queue_ms), member_of(id, job))
  end
  local offered, keyed = count_offers(job, 1)
  if offered == 1 then share_window(queue_of(job)) end
  local has_room = offered <= offer_window
    or not job.fairnessKey and offered <= window_of(queue_of(job))
  if has_room and keyed <= keyed_window then return publish(id, job, now) end
  count_offers(job, -1)
  add_member(key_backlog(group_of(job)), job.scheduledAt, member_of(id, job))
  if offered <= offer_window then join_turns(job) end
end
