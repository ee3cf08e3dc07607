-- words_in: the words of a list that a field keeps as text, separated by spaces.

local function words_in(list)
  local words = {}
  if not list then return words end
  for word in string.gmatch(list, '%S+') do words[#words + 1] = word end
  return words
end
