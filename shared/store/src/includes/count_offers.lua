-- count_offers: counts offered jobs per fairness group in `offered`, and those of all groups of an
-- owner that have a fairness key in `offered:keyed`. Returns both counts.
-- include: queue_of, hash_counts

local function count_offers(job, by)
  local offered, keyed = add_to_count('offered', group_of(job), by), 0
  if job.fairnessKey then keyed = add_to_count('offered:keyed', owner_in_queue(job), by) end
  return offered, keyed
end
