-- put_off: a worker does not know the action of an offered job. The job is offered again later, to
-- another worker perhaps; the delay grows while no worker knows the action.
-- include: withdraw_job, job_keys, digits

local function put_off(id, job, now)
  withdraw_job(id, job, now)
  local refusals = call('HINCRBY', key_job(id), 'refusals', 1)
  local delay_ms = math.min(30000, 500 * 2 ^ math.min(refusals, 6))
  call('ZADD', root .. 'due', digits(now + delay_ms), id)
end
