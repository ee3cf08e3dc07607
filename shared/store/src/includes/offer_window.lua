-- offer_window: how many jobs of one fairness group are offered at a time. A submitter of a hundred
-- thousand jobs has no more than these in front of the jobs of others.

local offer_window = 64
