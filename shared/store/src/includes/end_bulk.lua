-- end_bulk: a bulk operation is done or stopped. Its record is kept for some time.
-- include: bulk_keys, digits

local function end_bulk(id, state, now, kept_ms)
  call('HSET', key_bulk(id), 'state', state, 'finishedAt', digits(now))
  call('PEXPIRE', key_bulk(id), kept_ms)
  call('SREM', root .. 'bulk:running', id)
end
