"""Files from elsewhere: downloads that resume and are verified, archives that cannot do harm."""
