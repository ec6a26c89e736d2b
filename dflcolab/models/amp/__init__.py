"""AMP: one encoder and one decoder for both people, and a morph between their inters."""
