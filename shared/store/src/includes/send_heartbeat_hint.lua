-- send_heartbeat_hint: asks a worker to send a heartbeat now. When the hint is lost, the next
-- regular heartbeat gets the same answer, a fifth of a lease later at most.

local function send_heartbeat_hint(worker)
  call('PUBLISH', root .. 'hints:' .. worker, 'heartbeat')
end
