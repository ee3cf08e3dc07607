-- next_of: numbers from a counter that only grows.
-- include: digits

-- Per counter: the numbers that this script has drawn and not given out.
local drawn = {}

-- The next number. The script asks for at most `most` numbers from now on, this one included, so it
-- draws them in one step. Those that it does not ask for are never used.
local function next_of(counter, most)
  local left = drawn[counter]
  if not left or left.first > left.last then
    local last = call('INCRBY', root .. counter, most)
    left = { first = last - most + 1, last = last }
    drawn[counter] = left
  end
  left.first = left.first + 1
  return digits(left.first - 1)
end
