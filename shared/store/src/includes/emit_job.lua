-- emit_job: the event of a job that changes its status, with further fields (name, value, …).
-- include: emit

local function emit_job(id, number, action, status, worker, token, ...)
  emit('job', id, 'number', number, 'action', action, 'status', status, 'worker', worker,
    'token', token, ...)
end
