-- propagate: carries out what note_end has noted, for at most `most` jobs. Returns how many it
-- looked at.
-- include: propagate_dependents, propagate_child, propagate_stop, words_in

local function propagate(most, now)
  local moved = 0
  while moved < most do
    local note = words_in(call('LINDEX', root .. 'propagations', 0) or '')
    local count, all = 1, true
    if #note == 0 then
      break
    elseif note[1] == 'dependents' then
      count, all = propagate_dependents(now, most - moved, note[2], note[3])
    elseif note[1] == 'child' then
      propagate_child(now, note[2], note[3], note[4])
    else
      count, all = propagate_stop(now, most - moved, note[2])
    end
    moved = moved + count
    if all then call('LPOP', root .. 'propagations') end
  end
  return moved
end
