-- publish: the only way to RabbitMQ. The relay publishes what is in the outbox.
-- include: queue_keys, digits

local function publish(id, job, now)
  call('ZADD', key_ready(job.class, job.priority), digits(now), id)
  call('XADD', root .. 'outbox', '*', 'job', id, 'class', job.class, 'priority', job.priority,
    'scheduledAt', job.scheduledAt)
end
