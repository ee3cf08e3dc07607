-- hash_counts: counts in hashes. The first change of a count is written at once, which also reads
-- it; write_changes writes the rest. A count of 0 has no field.

-- Per hash, the counts, and the part of each that is not written yet.
local known_counts, unwritten_counts = {}, {}

-- Adds to a count, and returns it.
local function add_to_count(hash, field, by)
  local known = known_counts[hash]
  if not known then
    known = {}
    known_counts[hash], unwritten_counts[hash] = known, {}
  end
  if known[field] then
    known[field] = known[field] + by
    unwritten_counts[hash][field] = unwritten_counts[hash][field] + by
  else
    known[field] = call('HINCRBY', root .. hash, field, by)
    unwritten_counts[hash][field] = 0
  end
  return known[field]
end

-- The value of a count, with the changes of this script.
local function count_of(hash, field)
  local known = known_counts[hash] and known_counts[hash][field]
  return known or tonumber(call('HGET', root .. hash, field) or 0)
end

local function write_counts()
  for hash, fields in pairs(unwritten_counts) do
    for field, by in pairs(fields) do
      if known_counts[hash][field] == 0 then
        call('HDEL', root .. hash, field)
      elseif by ~= 0 then
        call('HINCRBY', root .. hash, field, by)
      end
    end
  end
  known_counts, unwritten_counts = {}, {}
end
