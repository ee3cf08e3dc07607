-- claimed_up_to: per queue, the latest offer time of the jobs that this script has claimed. Offers
-- that were made earlier and still wait were lost. A script that starts runs calls record_claims.
-- include: digits

local claimed_up_to = {}

local function record_claims()
  for queue, offered in pairs(claimed_up_to) do
    if offered > tonumber(call('HGET', root .. 'claimed_up_to', queue) or 0) then
      call('HSET', root .. 'claimed_up_to', queue, digits(offered))
    end
  end
end
