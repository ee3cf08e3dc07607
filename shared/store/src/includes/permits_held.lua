-- permits_held: how many permits of a lock are held.

local function permits_held(name)
  return tonumber(call('HGET', root .. 'permits:held', name) or 0)
end
