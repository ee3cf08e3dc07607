-- oldest_jobs: the jobs with these statuses that were due first, at most so many of each status; and
-- how many jobs have these statuses.
-- include: job_keys

local function oldest_jobs(statuses, most)
  local oldest, ids, count = {}, {}, 0
  for _, status in ipairs(statuses) do
    count = count + call('ZCARD', key_status(status))
    local found = call('ZRANGE', key_status(status), 0, most - 1, 'WITHSCORES')
    for i = 1, #found, 2 do
      oldest[#oldest + 1] = { id = found[i], at = tonumber(found[i + 1]) }
    end
  end
  table.sort(oldest, function(a, b) return a.at < b.at end)
  for i, job in ipairs(oldest) do ids[i] = job.id end
  return ids, count
end
