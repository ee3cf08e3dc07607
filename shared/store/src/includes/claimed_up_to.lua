-- claimed_up_to: per queue, when the newest of the jobs that this script has claimed was offered.
-- An older offer that still waits was lost. A script that starts runs calls record_claims last.
-- include: digits

local claimed_up_to = {}

local function record_claims()
  for queue, offered in pairs(claimed_up_to) do
    if offered > tonumber(call('HGET', root .. 'claimed_up_to', queue) or 0) then
      call('HSET', root .. 'claimed_up_to', queue, digits(offered))
    end
  end
end
