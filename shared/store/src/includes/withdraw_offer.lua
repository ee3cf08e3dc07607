-- withdraw_offer: takes jobs out of what is offered, and refills the windows of their fairness
-- groups. A script that withdraws offers calls refill_offers last.
-- include: offer_window, offer_now, waiter_of, queue_of, queue_keys, member_of, digits

-- Groups from which this script has withdrawn offers, in order, and how many of each.
local withdrawn = {}

-- Withdraws the offer of a job; false when it has none.
local function withdraw_offer(id, job)
  if call('ZREM', key_ready(queue_of(job)), member_of(id, job)) == 0 then return false end
  forget_waiter(id)
  local group = group_of(job)
  if not withdrawn[group] then
    withdrawn[group] = {
      class = job.class, action = job.action, priority = job.priority,
      fairnessGroup = job.fairnessGroup, actionQueue = job.actionQueue, count = 0,
    }
    withdrawn[#withdrawn + 1] = group
  end
  withdrawn[group].count = withdrawn[group].count + 1
  return true
end

local function refill_offers(now)
  for _, group in ipairs(withdrawn) do
    local job = withdrawn[group]
    local offered = call('HINCRBY', root .. 'offered', group, -job.count)
    local room = offer_window - offered
    local behind = room > 0 and call('ZPOPMIN', key_backlog(group), room) or {}
    for i = 1, #behind, 2 do
      job.number, job.scheduledAt = number_of(behind[i]), digits(behind[i + 1])
      offer_now(id_of(behind[i]), job, now)
    end
    if offered == 0 and #behind == 0 then call('HDEL', root .. 'offered', group) end
  end
  withdrawn = {}
end
