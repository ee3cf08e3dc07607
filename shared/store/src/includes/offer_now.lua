-- offer_now: offers a job through the queue it is assigned to, however many of its fairness group
-- are offered already.
-- include: publish, count_offers

local function offer_now(id, job, now)
  count_offers(job, 1)
  publish(id, job, now)
end
