//! Looks at steps go in, the values of the series are compared.
