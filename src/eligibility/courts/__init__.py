"""Courts: the register, the ranking of receiving courts, plans for many cases, supervision."""
