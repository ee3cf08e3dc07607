-- withdraw_offer: takes jobs out of what is offered, and refills the windows of their fairness
-- groups and owners. A script that withdraws offers calls refill_offers last.
-- include: offer_window, count_offers, offer_next, take_turns, waiter_of, queue_of, queue_keys
-- include: member_of

-- Groups from which this script has withdrawn offers, in order, and how many of each.
local withdrawn = {}

-- Withdraws the offer of a job; false when it has none.
local function withdraw_offer(id, job)
  if call('ZREM', key_ready(queue_of(job)), member_of(id, job)) == 0 then return false end
  forget_waiter(id)
  local group = group_of(job)
  if not withdrawn[group] then
    withdrawn[group] = {
      class = job.class, action = job.action, priority = job.priority, owner = job.owner,
      fairnessKey = job.fairnessKey, actionQueue = job.actionQueue, count = 0,
    }
    withdrawn[#withdrawn + 1] = group
  end
  withdrawn[group].count = withdrawn[group].count + 1
  return true
end

local function refill_offers(now)
  for _, group in ipairs(withdrawn) do
    local job = withdrawn[group]
    local offered, keyed = count_offers(job, -job.count)
    if job.fairnessKey then
      if offered == 0 then call('HDEL', root .. 'offered', group) end
      if keyed == 0 then call('HDEL', root .. 'offered:keyed', owner_in_queue(job)) end
      if offered < offer_window and call('EXISTS', key_backlog(group)) == 1 then join_turns(job) end
      take_turns(job, keyed_window - keyed, now)
    elseif offer_next(job, offer_window - offered, now) == 0 and offered == 0 then
      call('HDEL', root .. 'offered', group)
    end
  end
  withdrawn = {}
end
