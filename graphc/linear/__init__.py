"""Linear operators: matrices that know how to be multiplied, solved and factored."""
