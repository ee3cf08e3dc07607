-- pop_ids: removes the first members of a sorted set and returns them.

local function pop_ids(key, most)
  local ids = {}
  for i, member in ipairs(call('ZPOPMIN', key, most)) do
    if i % 2 == 1 then ids[#ids + 1] = member end
  end
  return ids
end
