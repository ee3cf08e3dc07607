-- publish: the only way to RabbitMQ. The relay publishes what is in the outbox.
-- include: outbox, queue_keys, queue_of, member_of, members, digits

local function publish(id, job, now)
  local queue = queue_of(job)
  add_member(key_ready(queue), digits(now), member_of(id, job))
  add_to_outbox(queue, id, job.number, job.scheduledAt)
end
