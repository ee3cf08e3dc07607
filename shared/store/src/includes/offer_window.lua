-- offer_window: how many jobs are offered at a time: of one fairness group, and in a queue of all
-- groups of one owner that have a fairness key. Other owners therefore wait behind at most the sum
-- of both, regardless of how many jobs and keys an owner submits. The window of a group that is
-- alone in its queue can be wider: see widen_window.

local offer_window, keyed_window = 64, 192
