-- count_parked: counts the jobs of a queue that wait for locks and are not offered.
-- include: queue_of, hash_counts

local function count_parked(job, by) add_to_count('parked', queue_of(job), by) end
