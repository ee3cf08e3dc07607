-- offer_next: offers the next jobs out of the backlog of a fairness group, at most so many. `job`
-- has what they have in common. Returns how many.
-- include: offer_now, queue_keys, queue_of, member_of, members, digits

local function offer_next(job, most, now)
  if most <= 0 then return 0 end
  write_members_of(key_backlog(group_of(job)))
  local behind = call('ZPOPMIN', key_backlog(group_of(job)), most)
  for i = 1, #behind, 2 do
    job.number, job.scheduledAt = number_of(behind[i]), digits(behind[i + 1])
    offer_now(id_of(behind[i]), job, now)
  end
  return #behind / 2
end
