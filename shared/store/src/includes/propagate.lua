-- propagate: carries out what note_end has noted, for at most `most` jobs. Returns how many it
-- looked at. A note that cannot be carried out is dropped, and holds up no other.
-- include: propagate_dependents, propagate_child, propagate_stop, try_step, words_in

-- How many jobs it looked at, and whether that was all.
local function carry_out(note, most, now)
  if note[1] == 'dependents' then
    return { propagate_dependents(now, most, note[2], note[3]) }
  elseif note[1] == 'child' then
    propagate_child(now, note[2], note[3], note[4])
    return { 1, true }
  end
  return { propagate_stop(now, most, note[2]) }
end

local function propagate(most, now)
  local moved = 0
  while moved < most do
    local note = call('LINDEX', root .. 'propagations', 0)
    if not note then break end
    local words = words_in(note)
    local done = try_reported(note, carry_out, words, most - moved, now) or { 1, true }
    moved = moved + done[1]
    if done[2] then call('LPOP', root .. 'propagations') end
  end
  return moved
end
