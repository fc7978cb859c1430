"""What the cells of a table mean: times, numbers, missing values, and rows that are none."""
