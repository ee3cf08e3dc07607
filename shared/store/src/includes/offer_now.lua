-- offer_now: offers a job through the queue it is assigned to, however many of its fairness group
-- are offered already.
-- include: publish, count_offers, widen_window, queue_of

local function offer_now(id, job, now)
  if count_offers(job, 1) == 1 then share_window(queue_of(job)) end
  publish(id, job, now)
end
