-- count_in: counts in the hash `routing`. A count of 0 is no field.

local function count_in(field, by)
  if call('HINCRBY', root .. 'routing', field, by) == 0 then
    call('HDEL', root .. 'routing', field)
  end
end
