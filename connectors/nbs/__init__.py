"""China's National Bureau of Statistics: the portal of today, and the forms of before (classic, stored)."""
