-- offer_window: how many jobs are offered at a time: of one fairness group, and in a queue of all
-- groups of one owner that have a fairness key. So an owner has no more than the sum of both in
-- front of the jobs of others, however many jobs and keys it submits. While nobody else has jobs in
-- a queue, the window of the only group there grows with the speed of the workers: see
-- widen_window.

local offer_window, keyed_window = 64, 192
