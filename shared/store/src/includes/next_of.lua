-- next_of: numbers from a counter that only grows, reserved in blocks.
-- include: digits

-- Per counter, the reserved numbers that this script has not used yet.
local blocks = {}

-- The next number. `most` is how many the script may still need, this one included; they are
-- reserved with one command. Unused numbers of a block are skipped.
local function next_of(counter, most)
  local left = blocks[counter]
  if not left or left.first > left.last then
    local last = call('INCRBY', root .. counter, most)
    left = { first = last - most + 1, last = last }
    blocks[counter] = left
  end
  left.first = left.first + 1
  return digits(left.first - 1)
end
