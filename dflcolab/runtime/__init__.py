"""Where the program runs and what notebooks need from there."""
