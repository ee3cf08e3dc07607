-- parse_needs: `devices=1 licence=2` as a list of { name, need }.

local function parse_needs(list)
  local needs = {}
  if not list then return needs end
  for name, need in string.gmatch(list, '(%S+)=(%d+)') do
    needs[#needs + 1] = { name = name, need = tonumber(need) }
  end
  return needs
end
