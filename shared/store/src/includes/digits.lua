-- digits: a whole number as text. tostring would write one of 15 digits as 2.5e+14.

local known_digits = {}

local function digits(number)
  known_digits[number] = known_digits[number] or string.format('%.0f', number)
  return known_digits[number]
end
