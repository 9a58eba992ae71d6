"""Whether it withstands hostile input and hostile files."""
