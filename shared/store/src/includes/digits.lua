-- digits: a whole number as text. tostring would write one of 15 digits as 2.5e+14.

local function digits(number) return string.format('%.0f', number) end
