-- withdraw_offer: takes jobs out of what is offered, and refills the windows of their fairness
-- groups and owners. A script that withdraws offers calls refill_offers last.
-- include: offer_window, widen_window, count_offers, offer_next, take_turns, has_backlog, waiter_of
-- include: offered_at, queue_of, queue_keys, member_of, members

-- Groups from which this script has withdrawn offers, in order, and how many of each.
local withdrawn = {}

-- Withdraws the offer of a job; false when it has none.
local function withdraw_offer(id, job)
  if not offered_at(id, job) then return false end
  remove_member(key_ready(queue_of(job)), member_of(id, job))
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

local function refill_window(job, offered, now)
  local room = math.max(offer_window - offered, 0)
  local added = offer_next(job, room, now)
  -- There may be more jobs behind them.
  if added == room then
    offered = offered + added
    offer_next(job, widened_window(job, offered, now) - offered, now)
  end
end

local function refill_offers(now)
  for _, group in ipairs(withdrawn) do
    local job = withdrawn[group]
    local offered, keyed = count_offers(job, -job.count)
    if job.fairnessKey then
      if offered < offer_window and has_backlog(job) then join_turns(job) end
      take_turns(job, keyed_window - keyed, now)
    else
      refill_window(job, offered, now)
    end
  end
  withdrawn = {}
end
